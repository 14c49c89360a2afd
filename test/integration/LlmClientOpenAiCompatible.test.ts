import type { ServerResponse } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { vi } from "vitest"
import * as LlmClientOpenAiCompatible from "../../layers/LlmClientOpenAiCompatible.js"
import { LlmClient } from "../../services/LlmClient.js"
import type * as Llm from "../../src/domain/Llm.js"
import * as HandledServer from "../support/HandledServer.js"
import { chatClient, chatClientAt, KEY, request } from "../support/Sandboxed.js"

const generate = Effect.flatMap(LlmClient, (llm) => llm.generate(request()))

const streamed = Stream.unwrap(Effect.map(LlmClient, (llm) => llm.stream(request())))

const answering = (answer: (response: ServerResponse) => void) =>
  Effect.map(HandledServer.answering(answer), ({ seen, url }) => ({ seen, url: `${url}/v1` }))

const under = (faults: string, options: Parameters<typeof chatClient>[1] = {}) =>
  Effect.provide(generate, Layer.orDie(chatClient(faults, options)))

const COMPLETION = {
  object: "chat.completion",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content: "Water boils." }, finish_reason: "stop" }],
  usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
}

const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) => response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body))

const fine = answering((response) => json(response, 200, COMPLETION))

const environment = (variables: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
    }),
    () => Effect.sync(() => vi.unstubAllEnvs()),
  )

describe("LlmClientOpenAiCompatible", () => {
  const failures: ReadonlyArray<readonly [string, Llm.LlmErrorReason, boolean, number, string]> = [
    ["401*", "Authentication", false, 1, "OPENAI_API_KEY"],
    ["403*", "PermissionDenied", false, 1, "project"],
    ["400*", "InvalidRequest", false, 1, "Change the request"],
    ["404*", "NotFound", false, 1, "ends in /v1"],
    ["413*", "RequestTooLarge", false, 1, "Send less"],
    ["429*", "RateLimited", true, 3, "max_concurrency"],
    ["503*", "ServerError", true, 3, "run again later"],
    ["reset*", "Connection", true, 3, "OPENAI_BASE_URL"],
    ["cut*", "Connection", true, 3, "within the answer"],
    ["hang*", "Timeout", true, 3, "llm.timeout"],
    ["malformed*", "MalformedResponse", true, 1, "not JSON"],
    ["html*", "MalformedResponse", true, 1, "chat-completions API"],
    ["empty*", "EmptyResponse", true, 1, "no text"],
    ["blank*", "EmptyResponse", true, 1, "is empty"],
  ]
  it.scopedLive("a failure has another reason than it should, too many attempts, no next step, or the key in it", () =>
    Effect.forEach(
      failures,
      ([faults, reason, retryable, attempts, words]) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(
            under(faults, { maxRetries: 2, timeout: faults === "hang*" ? "400 millis" : "30 seconds" }),
          )
          const source = /^(reset|hang)/.test(faults) ? "provider" : "sandbox"
          expect(error, faults).toMatchObject({ reason, retryable, source })
          expect(error.attempts, faults).toHaveLength(attempts)
          expect(error.message, faults).toContain(words)
          expect(`${error.message}${Cause.pretty(Cause.fail(error))}`, faults).not.toContain(KEY)
        }),
      { discard: true },
    ),
  )

  it.scopedLive("a retried answer does not tell of every attempt, its wait or its request", () =>
    Effect.gen(function* () {
      const { attempts, requestId, source } = yield* under("429:0.01,500")
      expect(attempts.map((attempt) => attempt.http_status)).toEqual([429, 500, 200])
      expect(attempts[0]).toMatchObject({ error_class: "RateLimited", retry_after_ms: 10 })
      expect(requestId).toMatch(/^req_sandbox_/)
      expect(source).toBe("sandbox")
    }),
  )

  it.scopedLive("a quota that is used up is tried again, or not told apart from a limit that passes", () =>
    Effect.gen(function* () {
      const quota = {
        error: { message: "You exceeded your quota", type: "insufficient_quota", code: "insufficient_quota" },
      }
      const { url } = yield* answering((response) => json(response, 429, quota))
      const error = yield* Effect.flip(Effect.provide(generate, chatClientAt(url)))
      expect(error).toMatchObject({ reason: "RateLimited", retryable: false, status: 429 })
      expect(error.attempts).toHaveLength(1)
      expect(error.message).toContain("Add credit")
    }),
  )

  it.scopedLive("an error whose words are a bare text is not understood", () =>
    Effect.gen(function* () {
      const { url } = yield* answering((response) => json(response, 404, { error: "model 'm' not found" }))
      const error = yield* Effect.flip(Effect.provide(generate, chatClientAt(url)))
      expect(error.message).toContain("failed (HTTP 404): model 'm' not found.")
    }),
  )

  it.scopedLive("variables of the environment reach the request", () =>
    Effect.gen(function* () {
      yield* environment({
        OPENAI_API_KEY: "sk-environment",
        OPENAI_ADMIN_KEY: "sk-admin",
        OPENAI_BASE_URL: "http://127.0.0.1:9/v1",
        OPENAI_ORG_ID: "org-environment",
        OPENAI_PROJECT_ID: "proj-environment",
        OPENAI_LOG: "debug",
        OPENAI_CUSTOM_HEADERS: "Authorization: Bearer sk-header\nx-own: environment",
      })
      const { seen, url } = yield* fine
      yield* Effect.provide(generate, chatClientAt(url))
      yield* Effect.provide(generate, LlmClientOpenAiCompatible.layer({ baseUrl: url }))
      yield* Stream.runDrain(streamed).pipe(
        Effect.provide(LlmClientOpenAiCompatible.layer({ baseUrl: url, maxRetries: 0 })),
      )
      expect(seen.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`, undefined, undefined])
      expect(JSON.stringify(seen)).not.toMatch(/environment|sk-admin|sk-header/)
      expect(seen.map(({ path }) => path)).toEqual(Array.from({ length: 3 }, () => "/v1/chat/completions"))
    }),
  )

  it.scopedLive("a header of the environment that is none says neither what is wrong nor what to do", () =>
    Effect.gen(function* () {
      yield* environment({ OPENAI_CUSTOM_HEADERS: "not a name: x" })
      const { url } = yield* fine
      const error = yield* Effect.flip(Effect.provide(generate, chatClientAt(url)))
      expect(error).toMatchObject({ reason: "InvalidRequest", status: null })
      expect(error.message).toContain("unset OPENAI_CUSTOM_HEADERS")
    }),
  )

  it.scopedLive("an address or key that cannot be used is tried, or shown with its credentials", () =>
    Effect.gen(function* () {
      const bad = yield* Effect.flip(Effect.provide(generate, chatClientAt("ftp://user:hunter22@host")))
      expect(bad).toMatchObject({ reason: "InvalidRequest", status: null })
      expect(bad.message).toContain("OPENAI_BASE_URL")
      expect(bad.message).not.toContain("hunter22")
      const { url } = yield* answering((response) => json(response, 400, { error: { message: `You sent ${KEY}` } }))
      const echoed = yield* Effect.flip(Effect.provide(generate, chatClientAt(url)))
      expect(echoed.message).toContain("You sent [secret]")
      expect(Cause.pretty(Cause.fail(echoed))).not.toContain(KEY)
      const layer = chatClientAt(`${url.replace("http://", "http://user:hunter22@")}/?token=abcd1234`)
      const { baseUrl } = yield* Effect.provide(LlmClient, layer)
      expect(baseUrl).toBe(url)
    }),
  )

  it.scopedLive("the limit goes out under a name that the server does not know", () =>
    Effect.gen(function* () {
      const { seen, url } = yield* fine
      yield* Effect.provide(generate, chatClientAt(url))
      yield* Effect.provide(generate, chatClientAt(url, { maxTokensField: "max_completion_tokens" }))
      expect(seen[0]?.body).toMatchObject({ max_tokens: 200, temperature: 0 })
      expect(seen[0]?.body).not.toHaveProperty("max_completion_tokens")
      expect(seen[1]?.body).toMatchObject({ max_completion_tokens: 200 })
      expect(seen[1]?.body).not.toHaveProperty("max_tokens")
    }),
  )

  it.scopedLive("who answers is not who the layer was told", () =>
    Effect.gen(function* () {
      const named = (options: LlmClientOpenAiCompatible.LlmClientOpenAiCompatibleOptions) =>
        Effect.map(Effect.provide(LlmClient, LlmClientOpenAiCompatible.layer(options)), ({ provider }) => provider)
      expect(yield* named({})).toBe("openai")
      expect(yield* named({ provider: "ollama", baseUrl: "http://localhost:11434/v1" })).toBe("ollama")
      expect(yield* named({ provider: "ollama", sandbox: true })).toBe("sandbox")
    }),
  )
})
