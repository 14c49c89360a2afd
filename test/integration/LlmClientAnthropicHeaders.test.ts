import type { IncomingHttpHeaders, RequestListener } from "node:http"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { vi } from "vitest"
import { LlmClient } from "../../services/LlmClient.js"
import { SANDBOX_HEADER } from "../../src/domain/SandboxHeader.js"
import { serve } from "../support/HandledServer.js"
import { clientAt, KEY, request } from "../support/Sandboxed.js"

const generate = Effect.flatMap(LlmClient, (llm) => llm.generate(request()))

const MESSAGE = JSON.stringify({
  type: "message",
  content: [{ type: "text", text: "Water boils." }],
  model: "claude-sonnet-4-5",
  stop_reason: "end_turn",
  usage: { input_tokens: 1, output_tokens: 2 },
})

type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | "cut"

/** Gives the answers in order, the last one again and again. */
const answering = (answers: ReadonlyArray<Answer>, seen: Array<IncomingHttpHeaders> = []): RequestListener => {
  let count = 0
  return (incoming, response) => {
    incoming.resume()
    seen.push(incoming.headers)
    const answer = answers[Math.min(count++, answers.length - 1)] ?? "cut"
    if (answer === "cut") {
      incoming.socket.destroy()
      return
    }
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers })
    response.end(answer.status === 200 ? MESSAGE : "{}")
  }
}

const SANDBOX = { [SANDBOX_HEADER]: "1" }

const environment = (value: string) =>
  Effect.acquireRelease(
    Effect.sync(() => vi.stubEnv("ANTHROPIC_CUSTOM_HEADERS", value)),
    () => Effect.sync(() => vi.unstubAllEnvs()),
  )

describe("LlmClientAnthropic and headers", () => {
  for (const [what, value] of [
    [
      "another key and a beta",
      "Authorization: Bearer sk-other\nanthropic-beta: files-api\nanthropic-version: 2020-01-01",
    ],
    ["an empty key", "authorization:"],
    ["a header that is none", "not a name: x"],
  ] as const)
    it.scopedLive(`headers of the environment neither go out nor break a call: ${what}`, () =>
      Effect.gen(function* () {
        const plain: Array<IncomingHttpHeaders> = []
        const seen: Array<IncomingHttpHeaders> = []
        yield* Effect.provide(generate, clientAt(yield* serve(answering([{ status: 200 }], plain))))
        yield* environment(value)
        yield* Effect.provide(generate, clientAt(yield* serve(answering([{ status: 200 }], seen)), { maxRetries: 0 }))
        expect(seen).toHaveLength(1)
        expect(seen[0]?.authorization).toBe(`Bearer ${KEY}`)
        expect({ ...seen[0], host: "" }).toEqual({ ...plain[0], host: "" })
      }),
    )

  it.scopedLive("each answer's source is told by its own headers, not by those of an earlier answer", () =>
    Effect.gen(function* () {
      const url = yield* serve(
        answering([
          { status: 200, headers: SANDBOX },
          { status: 200 },
          { status: 400 },
          { status: 400, headers: SANDBOX },
        ]),
      )
      const llm = yield* Effect.provide(LlmClient, clientAt(url))
      const first = yield* llm.generate(request())
      const second = yield* llm.generate(request())
      const third = yield* Effect.flip(llm.generate(request()))
      const fourth = yield* Effect.flip(llm.generate(request()))
      expect([first, second, third, fourth].map(({ source }) => source)).toEqual([
        "sandbox",
        "provider",
        "provider",
        "sandbox",
      ])
    }),
  )

  it.scopedLive(
    "a retried call's source is that of the answer that counts; without any answer that of the settings",
    () =>
      Effect.gen(function* () {
        const ask = (answers: ReadonlyArray<Answer>, sandbox: boolean) =>
          Effect.gen(function* () {
            const layer = clientAt(yield* serve(answering(answers)), { sandbox, maxRetries: 1 })
            const { source } = yield* Effect.merge(Effect.provide(generate, layer))
            return source
          })
        expect(yield* ask([{ status: 529, headers: SANDBOX }, { status: 200 }], false)).toBe("provider")
        expect(yield* ask([{ status: 529 }, { status: 200, headers: SANDBOX }], false)).toBe("sandbox")
        expect(yield* ask([{ status: 200 }], true)).toBe("provider")
        expect(yield* ask([{ status: 529, headers: SANDBOX }, "cut"], false)).toBe("sandbox")
        expect(yield* ask(["cut"], true)).toBe("sandbox")
        expect(yield* ask(["cut"], false)).toBe("provider")
      }),
  )

  it.scopedLive("an answer that begins, and does not end in time, leaves no trace of its request", () =>
    Effect.gen(function* () {
      const url = yield* serve((incoming, response) => {
        incoming.resume()
        response.writeHead(200, { "content-type": "application/json", "request-id": "req_1" })
        response.write(MESSAGE.slice(0, 20))
      })
      const options = { timeout: "300 millis", maxRetries: 0 } as const
      const error = yield* Effect.flip(Effect.provide(generate, clientAt(url, options)))
      expect(error).toMatchObject({ reason: "Timeout", status: 200, requestId: "req_1" })
      expect(error.attempts).toMatchObject([{ http_status: 200, request_id: "req_1", error_class: "Timeout" }])
    }),
  )

  it.scopedLive("a message that cannot be read costs nothing, although it says what it used", () =>
    Effect.gen(function* () {
      const url = yield* serve((incoming, response) => {
        incoming.resume()
        response.writeHead(200, { "content-type": "application/json" })
        response.end(MESSAGE.replace('"text":"Water boils."', '"text":null'))
      })
      const error = yield* Effect.flip(Effect.provide(generate, clientAt(url)))
      expect(error).toMatchObject({ reason: "MalformedResponse", usage: { uncachedInput: 1, output: 2 } })
      expect(error.attempts).toMatchObject([{ token_usage: { total_tokens: 3 }, usage_source: "provider" }])
    }),
  )

  it.scopedLive("a retry-after beyond all measure is an LlmError like any other", () =>
    Effect.gen(function* () {
      const url = yield* serve(answering([{ status: 429, headers: { "retry-after": "1e300" } }]))
      const error = yield* Effect.flip(Effect.provide(generate, clientAt(url)))
      expect(error).toMatchObject({ _tag: "LlmError", reason: "RateLimited", status: 429 })
      expect(error.attempts).toHaveLength(1)
      expect(error.message).toContain("asks to wait 1d")
    }),
  )

  for (const wish of ["0", "Tue, 31 Dec 1968 12:00:00 GMT"])
    it.scoped(`a retry-after of ${wish} does not take the layer's own wait away`, () =>
      Effect.gen(function* () {
        const url = yield* serve(answering([{ status: 429, headers: { "retry-after": wish } }, { status: 200 }]))
        const layer = clientAt(url, { retryBase: "2 seconds", timeout: "1 hour" })
        const fiber = yield* Effect.fork(Effect.provide(generate, layer))
        while ((yield* Fiber.poll(fiber))._tag === "None") {
          yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
          yield* TestClock.adjust("10 millis")
        }
        const { attempts } = yield* Fiber.join(fiber)
        const [first, second] = attempts.map((attempt) => Date.parse(attempt.started_at) + attempt.duration_ms)
        expect(attempts[0]?.retry_after_ms).toBe(0)
        expect((second ?? 0) - (attempts[1]?.duration_ms ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1500)
      }),
    )
})
