import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Environment from "../../src/cli/Environment.js"
import * as LaunchSettings from "../../src/cli/LaunchSettings.js"
import type { LlmFallback, RunConfigWire } from "../../src/domain/RunConfig.js"

const noFlags: LaunchSettings.LaunchFlags = {
  input: Option.some("."),
  ref: Option.none(),
  provider: Option.none(),
  model: Option.none(),
  offline: false,
  runsDir: Option.none(),
}

const resolve = (
  env: Readonly<Record<string, string>>,
  file: RunConfigWire = {},
  flags: Partial<LaunchSettings.LaunchFlags> = {},
) =>
  Effect.flatMap(Environment.load, (environment) =>
    LaunchSettings.resolve({ ...noFlags, ...flags }, file, environment),
  ).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(env)))))

describe("LaunchSettings", () => {
  it.effect("T36 without any setting events go to http://localhost:8765 with a 5 s request timeout", () =>
    Effect.gen(function* () {
      const { telemetry } = yield* resolve({})
      expect(telemetry).toMatchObject({ on: true, endpoint: "http://localhost:8765" })
      expect(telemetry.on && Duration.toSeconds(telemetry.requestTimeout)).toBe(5)
    }),
  )

  it.effect("T35 TELEMETRY_API_URL wins over the run config's endpoint", () =>
    Effect.gen(function* () {
      const file = { telemetry: { endpoint_url: "http://file:1" } }
      expect((yield* resolve({}, file)).telemetry).toMatchObject({ endpoint: "http://file:1" })
      const both = yield* resolve({ TELEMETRY_API_URL: "http://env:2" }, file)
      expect(both.telemetry).toMatchObject({ endpoint: "http://env:2" })
    }),
  )

  it.effect("flag, then environment, then file, then default decide", () =>
    Effect.gen(function* () {
      const file: RunConfigWire = { repo: "from-file", offline_mode: true, llm: { model: "file-model" } }
      const fromFile = yield* resolve({}, file, { input: Option.none() })
      expect(fromFile).toMatchObject({ input: "from-file", runsDir: "runs", telemetry: { on: false } })
      expect(fromFile.config.llm).toMatchObject({ model: "file-model", max_tokens: 4096 })
      const fromEnv = yield* resolve({ TELEMETRY_OFFLINE: "false", RUNLEDGER_RUNS_DIR: "env-runs" }, file)
      expect(fromEnv).toMatchObject({ runsDir: "env-runs", telemetry: { on: true } })
      const flags = { offline: true, runsDir: Option.some("flag-runs"), model: Option.some("flag-model") }
      const fromFlags = yield* resolve({ TELEMETRY_OFFLINE: "false", RUNLEDGER_RUNS_DIR: "env-runs" }, file, flags)
      expect(fromFlags).toMatchObject({
        input: ".",
        runsDir: "flag-runs",
        telemetry: { on: false, reason: "--offline" },
      })
      expect(fromFlags.config.llm.model).toBe("flag-model")
    }),
  )

  it.effect(
    "a fallback has the key and the address of its provider, and what it leaves out from the launch's own",
    () =>
      Effect.gen(function* () {
        const env = { ANTHROPIC_API_KEY: "key-a", ANTHROPIC_BASE_URL: "http://a", OPENAI_API_KEY: "key-o" }
        const fallback = [
          { model: "claude-haiku-4-5" },
          { base_url: "http://mirror" },
          { provider: "openai" as const, model: "gpt-5" },
        ]
        const { fallbacks } = yield* resolve(env, { llm: { fallback } })
        const told = fallbacks.map(({ apiKey, baseUrl, model, provider }) => [
          provider,
          Option.getOrNull(model),
          Option.getOrNull(baseUrl),
          Option.getOrNull(Option.map(apiKey, Redacted.value)),
        ])
        expect(told).toEqual([
          ["anthropic", "claude-haiku-4-5", "http://a", "key-a"],
          ["anthropic", null, "http://mirror", "key-a"],
          ["openai", "gpt-5", null, "key-o"],
        ])
      }),
  )

  it.effect("a fallback that cannot work is refused before anything is bought", () =>
    Effect.gen(function* () {
      const refusal = (env: Readonly<Record<string, string>>, member: LlmFallback) =>
        Effect.map(Effect.flip(resolve(env, { llm: { fallback: [member] } })), ({ message }) => message)
      const key = { ANTHROPIC_API_KEY: "key-a" }
      expect(yield* refusal(key, { provider: "openai" })).toContain("Name its model there")
      expect(yield* refusal(key, { provider: "openai", model: "gpt-5" })).toContain("Set OPENAI_API_KEY")
      expect(yield* refusal({}, { provider: "anthropic", model: "claude-haiku-4-5" })).toContain("ANTHROPIC_API_KEY")
      const own = { provider: "openai" as const, model: "llama", base_url: "http://localhost:11434/v1" }
      expect((yield* resolve(key, { llm: { fallback: [own] } })).fallbacks).toHaveLength(1)
      expect((yield* resolve({}, { llm: { provider: "replay", fallback: [own] } })).fallbacks).toEqual([])
    }),
  )

  it.effect("T37 the run config's own keys survive unchanged into what the run keeps", () =>
    Effect.gen(function* () {
      const file: RunConfigWire = {
        _telemetry_run_id: "run-001",
        _telemetry_trace_id: "0123456789abcdef0123456789abcdef",
        _telemetry_parent_span_id: "0123456789abcdef",
        git: { branch: "main" },
        llm: { max_tokens: 12, base_url: "http://llm" },
      }
      const { wire } = yield* resolve({ ANTHROPIC_BASE_URL: "http://elsewhere" }, file)
      expect(wire).toMatchObject(file)
    }),
  )

  it.effect("no key and no --provider is the sandbox, a key is anthropic, and a flag beats both", () =>
    Effect.gen(function* () {
      expect((yield* resolve({})).provider).toBe("sandbox")
      expect((yield* resolve({ ANTHROPIC_API_KEY: "" })).provider).toBe("sandbox")
      expect((yield* resolve({ ANTHROPIC_API_KEY: "k" })).provider).toBe("anthropic")
      expect((yield* resolve({ ANTHROPIC_API_KEY: "k" }, {}, { provider: Option.some("replay") })).provider).toBe(
        "replay",
      )
    }),
  )

  it.effect("openai takes its own key and address, and never Anthropic's", () =>
    Effect.gen(function* () {
      const env = {
        ANTHROPIC_API_KEY: "sk-a",
        ANTHROPIC_BASE_URL: "http://a",
        OPENAI_API_KEY: "sk-o",
        OPENAI_BASE_URL: "http://o/v1",
      }
      const flags = { provider: Option.some("openai" as const), model: Option.some("gpt-5") }
      const openai = yield* resolve(env, { llm: { base_url: "http://file/v1" } }, flags)
      expect(openai).toMatchObject({ provider: "openai", baseUrl: Option.some("http://o/v1") })
      expect(Option.map(openai.apiKey, Redacted.value)).toEqual(Option.some("sk-o"))
      expect(openai.keys.map(Redacted.value)).toEqual(["sk-a", "sk-o"])
      expect(openai.wire.llm).toEqual({ base_url: "http://file/v1", provider: "openai", model: "gpt-5" })
      const anthropic = yield* resolve(env)
      expect(anthropic).toMatchObject({ provider: "anthropic", baseUrl: Option.some("http://a") })
      expect(Option.map(anthropic.apiKey, Redacted.value)).toEqual(Option.some("sk-a"))
      const local = yield* resolve({ OPENAI_BASE_URL: "http://o/v1" }, { llm: { provider: "openai", model: "llama" } })
      expect(local).toMatchObject({ provider: "openai", apiKey: Option.none(), config: { llm: { model: "llama" } } })
      expect((yield* resolve({ OPENAI_API_KEY: "sk-o" })).provider).toBe("sandbox")
    }),
  )

  it.effect("openai without a key, an address or a model, and a missing key are usage errors that say what to do", () =>
    Effect.gen(function* () {
      const flags = { provider: Option.some("openai" as const), model: Option.some("gpt-5") }
      const openai = yield* Effect.flip(resolve({}, {}, flags))
      expect(openai).toMatchObject({ exitCode: 1 })
      expect(openai.message).toContain("Set OPENAI_API_KEY, or OPENAI_BASE_URL")
      const nameless = yield* Effect.flip(resolve({ OPENAI_API_KEY: "k" }, {}, { ...flags, model: Option.none() }))
      expect(nameless.message).toContain("--model")
      const keyless = yield* Effect.flip(resolve({}, {}, { provider: Option.some("anthropic") }))
      expect(keyless.message).toContain("Set ANTHROPIC_API_KEY")
      const nothing = yield* Effect.flip(resolve({}, {}, { input: Option.none() }))
      expect(nothing.message).toContain("runledger launch <folder|git url>")
    }),
  )

  it.effect("a setting that cannot be understood names itself", () =>
    Effect.gen(function* () {
      for (const [name, value] of [
        ["TELEMETRY_TIMEOUT", "soon"],
        ["TELEMETRY_OFFLINE", "maybe"],
        ["RUNLEDGER_CAPTURE", "everything"],
        ["RUNLEDGER_DURABILITY", "eternal"],
      ] as const) {
        const error = yield* Effect.flip(resolve({ [name]: value }))
        expect(error).toMatchObject({ exitCode: 1 })
        expect(error.message).toContain(`${name}: expected`)
        expect(error.message).toContain(value)
      }
    }),
  )

  it.effect("a bare TELEMETRY_TIMEOUT is seconds, and a token may come from the variable that the config names", () =>
    Effect.gen(function* () {
      const { telemetry } = yield* resolve(
        { TELEMETRY_TIMEOUT: "2.5", MY_TOKEN: "secret" },
        { telemetry: { token_env: "MY_TOKEN" } },
      )
      expect(telemetry.on && Duration.toMillis(telemetry.requestTimeout)).toBe(2500)
      expect(telemetry.on && Option.map(telemetry.token, Redacted.value)).toEqual(Option.some("secret"))
    }),
  )
})
