import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as TestClock from "effect/TestClock"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import { LlmClient } from "../../services/LlmClient.js"
import * as Llm from "../../src/domain/Llm.js"
import { serve as server } from "../support/HandledServer.js"
import { client, clientAt, KEY, request } from "../support/Sandboxed.js"

const generate = (asked = request()) => Effect.flatMap(LlmClient, (llm) => llm.generate(asked))

const under = (faults: string, options: Parameters<typeof client>[1] = {}) =>
  Effect.provide(generate(), Layer.orDie(client(faults, options)))

const statuses = (answered: { readonly attempts: ReadonlyArray<Llm.Attempt> }) =>
  answered.attempts.map((attempt) => attempt.http_status)

const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** Lets sockets work while the test's clock goes on by small steps, until the fiber ends. */
const awaitWith = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, step: `${number} millis`) =>
  Effect.gen(function* () {
    while ((yield* Fiber.poll(fiber))._tag === "None") {
      yield* turn
      yield* TestClock.adjust(step)
    }
    return yield* Fiber.join(fiber)
  })

describe("LlmClientAnthropic", () => {
  it.scopedLive("T22 a provider that answers 500 to the end gives an LlmError with every attempt", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(under("500*", { maxRetries: 3 }))
      expect(error).toMatchObject({ _tag: "LlmError", reason: "ServerError", status: 500, retryable: true })
      expect(statuses(error)).toEqual([500, 500, 500, 500])
      expect(error.attempts.map((attempt) => attempt.n)).toEqual([1, 2, 3, 4])
      expect(error.attempts.every((attempt) => attempt.error_class === "ServerError")).toBe(true)
      expect(error.message).toContain("after 4 attempts (HTTP 500)")
      expect(error.requestId).toMatch(/^req_/)
    }),
  )

  it.scopedLive("tries again after refusals, and the answer tells of every attempt", () =>
    Effect.gen(function* () {
      const answer = yield* under("429:0.01,529,500")
      expect(statuses(answer)).toEqual([429, 529, 500, 200])
      expect(answer.attempts[0]).toMatchObject({ error_class: "RateLimited", retry_after_ms: 10 })
      expect(answer.attempts[3]).toMatchObject({ error_class: null, retry_after_ms: null })
      expect(answer.source).toBe("sandbox")
    }),
  )

  it.scoped("waits as long as retry-after says", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(under("429:7", { timeout: "1 hour" }))
      const answer = yield* awaitWith(fiber, "100 millis")
      const [first, second] = answer.attempts.map((attempt) => Date.parse(attempt.started_at))
      const waited = (second ?? 0) - (first ?? 0)
      expect(waited).toBeGreaterThanOrEqual(7000)
      expect(answer.attempts[0]?.retry_after_ms).toBe(7000)
    }),
  )

  it.scopedLive("does not wait for a retry-after beyond its patience, and says how long it was", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(under("429:3600"))
      expect(error).toMatchObject({ reason: "RateLimited", status: 429, retryable: true })
      expect(statuses(error)).toEqual([429])
      expect(error.message).toContain("asks to wait 1h")
    }),
  )

  const failures: ReadonlyArray<readonly [string, Llm.LlmErrorReason, boolean, number, string]> = [
    ["401*", "Authentication", false, 1, "ANTHROPIC_API_KEY"],
    ["403*", "PermissionDenied", false, 1, "workspace"],
    ["400*", "InvalidRequest", false, 1, "Change the request"],
    ["404*", "NotFound", false, 1, "model's name"],
    ["413*", "RequestTooLarge", false, 1, "Send less"],
    ["409*", "InvalidRequest", true, 3, "after 3 attempts"],
    ["429*", "RateLimited", true, 3, "max_concurrency"],
    ["529*", "Overloaded", true, 3, "overloaded"],
    ["503*", "ServerError", true, 3, "run again later"],
    ["reset*", "Connection", true, 3, "no answer"],
    ["cut*", "Connection", true, 3, "within the answer"],
    ["hang*", "Timeout", true, 3, "llm.timeout"],
    ["malformed*", "MalformedResponse", true, 1, "not JSON"],
    ["html*", "MalformedResponse", true, 1, "text/html"],
    ["empty*", "EmptyResponse", true, 1, "no text"],
    ["blank*", "EmptyResponse", true, 1, "is empty"],
  ]
  it.scopedLive(
    "names each failure by its reason, retries only what is worth it, says the next step, never the key",
    () =>
      Effect.forEach(
        failures,
        ([faults, reason, retryable, attempts, words]) =>
          Effect.gen(function* () {
            const error = yield* Effect.flip(under(faults, { maxRetries: 2, timeout: "400 millis" }))
            expect(error, faults).toMatchObject({
              reason,
              retryable,
              source: /^(reset|hang)/.test(faults) ? "provider" : "sandbox",
            })
            expect(error.attempts, faults).toHaveLength(attempts)
            expect(error.message, faults).toContain(words)
            expect(`${error.message}${Cause.pretty(Cause.fail(error))}`, faults).not.toContain(KEY)
          }),
        { discard: true },
      ),
  )

  it.scopedLive("a failure without any answer is the sandbox's when the address is known to be", () =>
    Effect.gen(function* () {
      const layer = Layer.orDie(client("reset*", { sandbox: true, maxRetries: 0 }))
      const llm = yield* Effect.provide(LlmClient, layer)
      expect(llm.provider).toBe("sandbox")
      expect((yield* Effect.flip(Effect.provide(generate(), layer))).source).toBe("sandbox")
    }),
  )

  it.scopedLive("an answer cut at max_tokens is an answer, and goes on where it was cut", () =>
    Effect.gen(function* () {
      const llm = yield* LlmClient
      const whole = Llm.text(yield* llm.generate(request()))
      const start = yield* llm.generate(request({ maxTokens: 4 }))
      expect(start.finishReason).toBe("length")
      const [question] = request().messages
      const said = { role: "assistant" as const, content: Llm.text(start) }
      const rest = yield* llm.generate(request({ messages: [question, said] }))
      expect(Llm.text(start) + Llm.text(rest)).toBe(whole)
    }).pipe(Effect.provide(client())),
  )

  it.scopedLive("nothing listening is a Connection error that names the address", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(server(() => undefined))
      const error = yield* Effect.flip(Effect.provide(generate(), clientAt(url, { maxRetries: 1 })))
      expect(error).toMatchObject({ reason: "Connection", status: null, source: "provider", retryable: true })
      expect(error.attempts).toHaveLength(2)
      expect(error.message).toContain(url)
      expect(error.message).toContain("ECONNREFUSED")
    }),
  )

  for (const [when, start] of [
    ["before the answer", false],
    ["within the answer", true],
  ] as const) {
    it.scopedLive(`interruption ${when} closes the connection`, () =>
      Effect.gen(function* () {
        const asked = yield* Deferred.make<void>()
        const closed = yield* Deferred.make<void>()
        const url = yield* server((incoming, response) => {
          incoming.resume()
          response.on("close", () => Deferred.unsafeDone(closed, Exit.void))
          if (start) response.writeHead(200, { "content-type": "application/json" }).write('{"type":"mess')
          Deferred.unsafeDone(asked, Exit.void)
        })
        const fiber = yield* Effect.fork(Effect.provide(generate(), clientAt(url)))
        yield* Deferred.await(asked)
        const exit = yield* Fiber.interrupt(fiber)
        expect(Exit.isInterrupted(exit)).toBe(true)
        yield* Deferred.await(closed)
      }),
    )
  }

  it.scopedLive("does as x-should-retry says, against the status", () =>
    Effect.gen(function* () {
      const ask = (status: number, should: string) =>
        Effect.gen(function* () {
          const url = yield* server((incoming, response) => {
            incoming.resume()
            response.writeHead(status, { "content-type": "application/json", "x-should-retry": should }).end("{}")
          })
          return statuses(yield* Effect.flip(Effect.provide(generate(), clientAt(url, { maxRetries: 1 }))))
        })
      expect(yield* ask(500, "false")).toEqual([500])
      expect(yield* ask(400, "true")).toEqual([400, 400])
    }),
  )

  it.scopedLive("a server that echoes the request's headers does not get the key into an error", () =>
    Effect.gen(function* () {
      const url = yield* server((incoming, response) => {
        incoming.resume()
        const echo = JSON.stringify({ error: { type: "x", message: `You sent ${JSON.stringify(incoming.headers)}` } })
        response.writeHead(400, { "content-type": "application/json", "x-echo": incoming.headers.authorization ?? "" })
        response.end(echo)
      })
      const error = yield* Effect.flip(Effect.provide(generate(), clientAt(url)))
      expect(error.message).toContain("[secret]")
      expect(error.message).not.toContain("sk-ant")
      const shown = [
        error.message,
        error.stack,
        Cause.pretty(Cause.fail(error)),
        JSON.stringify(error),
        String(error.cause),
      ]
      expect(shown.join("\n")).not.toContain(KEY)
      expect(
        Object.values(error.cause ?? {})
          .map(String)
          .join(),
      ).not.toContain(KEY)
    }),
  )

  it.scopedLive("credentials and query of the base URL are neither sent nor shown", () =>
    Effect.gen(function* () {
      const url = yield* server((incoming, response) => {
        incoming.resume()
        response.writeHead(404).end(`no ${incoming.url}`)
      })
      const layer = clientAt(url.replace("http://", "http://user:hunter22@").concat("/?token=abcd1234"))
      const llm = yield* Effect.provide(LlmClient, layer)
      expect(llm.baseUrl).toBe(url)
      const error = yield* Effect.flip(llm.generate(request()))
      expect(error).toMatchObject({ reason: "NotFound" })
      expect(error.message).toContain("no /v1/messages")
      expect(error.message).not.toMatch(/hunter22|abcd1234/)
    }),
  )

  it.scopedLive(
    "a base URL or key that cannot be used fails the call in plain words, without an attempt at the network",
    () =>
      Effect.gen(function* () {
        const bad = yield* Effect.flip(Effect.provide(generate(), clientAt("ftp://user:hunter22@host")))
        expect(bad).toMatchObject({ reason: "InvalidRequest", retryable: false, status: null })
        expect(bad.message).toContain("ANTHROPIC_BASE_URL")
        const key = "sk-ant-with\nnewline"
        const layer = LlmClientAnthropic.layer({ apiKey: Redacted.make(key), baseUrl: "http://127.0.0.1:9" })
        const error = yield* Effect.flip(Effect.provide(generate(), layer))
        expect(error.reason).toBe("Authentication")
        expect(error.message).not.toContain("sk-ant-with")
      }),
  )

  it.scopedLive("a temperature goes out under the API version that takes one; without, under the SDK's own", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const url = yield* server((incoming, response) => {
        const chunks: Array<Buffer> = []
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
        incoming.on("end", () => {
          const body: unknown = JSON.parse(Buffer.concat(chunks).toString())
          seen.push([incoming.headers["anthropic-version"], incoming.headers["x-stainless-retry-count"], body])
          response.writeHead(400).end()
        })
      })
      const llm = yield* Effect.provide(LlmClient, clientAt(url))
      yield* Effect.flip(llm.generate(request({ temperature: 0 })))
      yield* Effect.flip(llm.generate(request({ temperature: null })))
      expect(seen).toEqual([
        ["2023-06-01", "0", expect.objectContaining({ temperature: 0, max_tokens: 200 })],
        [expect.not.stringMatching("2023-06-01"), "0", expect.not.objectContaining({ temperature: expect.anything() })],
      ])
    }),
  )
})
