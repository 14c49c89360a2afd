import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { afterEach, vi } from "vitest"
import * as EffectAi from "../../src/examples/EffectAi.js"
import * as Fallback from "../../src/examples/Fallback.js"
import * as OpenAi from "../../src/examples/OpenAi.js"
import * as PlainFetch from "../../src/examples/PlainFetch.js"
import * as VercelAiSdk from "../../src/examples/VercelAiSdk.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import * as LiveServer from "../support/LiveServer.js"
import { runsIn, temporary } from "../support/Rotations.js"

afterEach(() => {
  vi.unstubAllEnvs()
})

interface Counted {
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What the sandbox says that it counts for a question. */
const countedBy = (url: string, question: string): Effect.Effect<Counted> =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": "any", "anthropic-version": "2023-06-01" },
      body: JSON.stringify({ model: "m", max_tokens: 200, messages: [{ role: "user", content: question }] }),
    })
    const { usage }: { readonly usage: { readonly input_tokens: number; readonly output_tokens: number } } =
      await response.json()
    return { inputTokens: usage.input_tokens, outputTokens: usage.output_tokens }
  })

/** The row of a call that used so much, at these nano-dollars a token. */
const callRow = ({ inputTokens, outputTokens }: Counted, inputRate: number, outputRate: number, status: string) => ({
  status: "success",
  metrics_json: {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    usage_source: "provider",
    cost_nanousd: inputTokens * inputRate + outputTokens * outputRate,
    cost_status: status,
    finish_reason: "stop",
  },
})

/** Runs an example of another SDK with the sandbox behind it, and gives the rows of its calls as a server has them. */
const withSandbox = <A, E>(
  baseUrl: string,
  path: string,
  example: Effect.Effect<A, E>,
  more: Readonly<Record<string, string>> = {},
) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.serve({})
    const server = yield* LiveServer.start()
    const runsDir = `${yield* temporary}/runs`
    const settings = new Map([
      ["ANTHROPIC_API_KEY", "a-key-that-nobody-checks"],
      [baseUrl, `${sandbox.url}${path}`],
      ["TELEMETRY_API_URL", server.url],
      ["RUNLEDGER_RUNS_DIR", runsDir],
      ...Object.entries(more),
    ])
    for (const [name, value] of settings) vi.stubEnv(name, value)
    const answer = yield* Effect.withConfigProvider(example, ConfigProvider.fromMap(settings))
    const [run] = yield* runsIn(runsDir)
    expect(run).toMatchObject({ first: "RUN_CREATED", last: "RUN_COMPLETED", problems: [], isLocked: false })
    const counted = yield* countedBy(sandbox.url, "Write a haiku about ledgers.")
    return {
      answer,
      counted,
      rows: yield* LiveServer.rows(server.url, `parent_run_id=${run?.name}`),
      run: run?.name,
      runsDir,
    }
  })

it.scopedLive(
  "calls by the Vercel AI SDK lose tokens or money, at once or as a stream, or the sandbox's counts as real",
  () =>
    Effect.gen(function* () {
      const example = Effect.promise(() => VercelAiSdk.main("Write a haiku about ledgers."))
      const { answer, counted, rows, run, runsDir } = yield* withSandbox("ANTHROPIC_BASE_URL", "/v1", example)
      expect(answer).toEqual(["Write a haiku about ledgers.", "Write a haiku about ledgers."])
      const row = callRow(counted, 3000, 15_000, "simulated")
      expect(rows).toHaveLength(2)
      expect(rows).toMatchObject([row, row])
      const contexts = rows.map(({ context_json }: { readonly context_json: unknown }) => context_json)
      expect(contexts).toMatchObject([
        { provider: "sandbox", stream: true, prompt_hash: expect.stringMatching(/^[0-9a-f]{64}$/), temperature: null },
        { provider: "sandbox", request_id: expect.stringMatching(/^req_sandbox_/) },
      ])
      const fs = yield* FileSystem.FileSystem
      const evidence = JSON.parse(yield* fs.readFileString(`${runsDir}/${run}/${contexts[1].evidence_path}`))
      expect(evidence).toMatchObject({
        request: { as_given: { prompt: "Write a haiku about ledgers.", maxOutputTokens: 200 } },
        response: { as_given: "Write a haiku about ledgers." },
      })
    }).pipe(Effect.provide(NodeContext.layer)),
)

it.scopedLive("a call by @effect/ai, which hides the headers, loses tokens, or the sandbox's counts as real", () =>
  Effect.gen(function* () {
    const { answer, counted, rows } = yield* withSandbox("ANTHROPIC_BASE_URL", "", EffectAi.main)
    expect(answer).toBe("Write a haiku about ledgers.")
    expect(rows).toMatchObject([callRow(counted, 3000, 15_000, "simulated")])
  }),
)

it.scopedLive("a call by way of OpenAI's SDK loses tokens or money, or needs a key where the server needs none", () =>
  Effect.gen(function* () {
    const { answer, counted, rows } = yield* withSandbox("OPENAI_BASE_URL", "/v1", OpenAi.main)
    expect(answer).toBe("Write a haiku about ledgers.")
    expect(rows).toMatchObject([
      { ...callRow(counted, 150, 600, "simulated"), context_json: { provider: "sandbox", temperature: 0 } },
    ])
  }),
)

it.scopedLive("a call that falls back has the price or the provider of who failed, or loses the attempts before", () =>
  Effect.gen(function* () {
    const nobody = { ANTHROPIC_BASE_URL: "http://127.0.0.1:9" }
    const { answer, counted, rows } = yield* withSandbox("OPENAI_BASE_URL", "/v1", Fallback.main, nobody)
    expect(answer).toBe("Write a haiku about ledgers.")
    expect(rows).toMatchObject([
      {
        ...callRow(counted, 150, 600, "simulated"),
        context_json: {
          attempts: [{ provider: "anthropic" }, { provider: "anthropic" }, { model: "gpt-4o-mini", http_status: 200 }],
        },
      },
    ])
  }),
)

it.scopedLive("a call by plain HTTP loses tokens or money, or the sandbox's counts as real", () =>
  Effect.gen(function* () {
    const example = Effect.promise(() =>
      PlainFetch.main("Write a haiku about ledgers.", "any", process.env["ANTHROPIC_BASE_URL"]),
    )
    const { answer, counted, rows } = yield* withSandbox("ANTHROPIC_BASE_URL", "", example)
    expect(answer).toBe("Write a haiku about ledgers.")
    expect(rows).toMatchObject([callRow(counted, 3000, 15_000, "simulated")])
  }),
)
