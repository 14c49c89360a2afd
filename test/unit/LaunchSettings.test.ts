import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Environment from "../../src/cli/Environment.js"
import * as LaunchSettings from "../../src/cli/LaunchSettings.js"
import type { RunConfigWire } from "../../src/domain/RunConfig.js"

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

  it.effect("openai and a missing key are usage errors that say what to do", () =>
    Effect.gen(function* () {
      const openai = yield* Effect.flip(resolve({}, {}, { provider: Option.some("openai") }))
      expect(openai).toMatchObject({ exitCode: 1 })
      expect(openai.message).toContain("comes with a later release")
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
