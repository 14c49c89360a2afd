import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as LlmClientFallback from "../../layers/LlmClientFallback.js"
import { LlmClient, type LlmClientService, streamOf } from "../../services/LlmClient.js"
import { type Attempt, LlmError, type LlmRequest, type LlmResponse } from "../../src/domain/Llm.js"
import type { LlmChunk } from "../../src/domain/LlmChunk.js"
import * as Usage from "../../src/domain/Usage.js"

const request: LlmRequest = {
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: "What is a ledger?" }],
  temperature: 0,
  maxTokens: 100,
}

const attempt = (n: number, error_class: string | null): Attempt => ({
  n,
  started_at: "2026-11-20T12:00:00.000Z",
  duration_ms: 10,
  http_status: error_class === null ? 200 : 529,
  error_class,
  retry_after_ms: null,
})

const overloaded = (fields: Partial<LlmError> = {}) =>
  new LlmError({
    reason: "Overloaded",
    message: "overloaded.",
    retryable: true,
    status: 529,
    requestId: null,
    attempts: [attempt(1, "Overloaded"), attempt(2, "Overloaded")],
    usage: Usage.none,
    source: "provider",
    ...fields,
  })

const answer: LlmResponse = {
  content: [{ type: "text", text: "A book." }],
  usage: Usage.fromMessagesApi({ input_tokens: 10, output_tokens: 5 }),
  finishReason: "stop",
  stopReason: "end_turn",
  model: null,
  requestId: "req_9",
  attempts: [attempt(1, null)],
  source: "provider",
}

type Says = (asked: LlmRequest) => Effect.Effect<LlmResponse, LlmError>

/** A client that says what it is told to, and remembers for which models it was asked. */
const saying = (
  provider: string,
  says: Says,
  asked: Ref.Ref<ReadonlyArray<string>>,
  stream?: LlmClientService["stream"],
) =>
  Layer.sync(LlmClient, () => {
    const generate: Says = (wanted) =>
      Effect.zipRight(
        Ref.update(asked, (before) => [...before, `${provider}/${wanted.model}`]),
        says(wanted),
      )
    return { provider, baseUrl: `http://${provider}`, generate, stream: stream ?? streamOf(generate) }
  })

interface Setup {
  readonly first: Says
  readonly second: Says
  readonly firstStream?: LlmClientService["stream"]
}

const using = <A, E>({ first, firstStream, second }: Setup, use: (client: LlmClientService) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const asked = yield* Ref.make<ReadonlyArray<string>>([])
    const layer = LlmClientFallback.layer({
      primary: saying("anthropic", first, asked, firstStream),
      alternates: [
        { client: saying("anthropic", second, asked), model: "claude-haiku-4-5" },
        { client: saying("openai", () => Effect.succeed(answer), asked), model: "gpt-5" },
      ],
    })
    const value = yield* Effect.flatMap(LlmClient, use).pipe(Effect.provide(layer))
    return { value, asked: yield* Ref.get(asked) }
  })

const generated = (client: LlmClientService) => client.generate(request)
const lastChunk = (client: LlmClientService) => Effect.map(Stream.runLast(client.stream(request)), (last) => last)

const fails = (error: LlmError) => () => Effect.fail(error)
const answers = () => Effect.succeed(answer)

describe("LlmClientFallback", () => {
  it.effect("an answer of the first is the very answer, and nobody else is asked", () =>
    Effect.gen(function* () {
      const { asked, value } = yield* using({ first: answers, second: answers }, generated)
      expect(value).toBe(answer)
      expect(asked).toEqual(["anthropic/claude-sonnet-4-5"])
    }),
  )

  it.effect("what another try might mend goes to the next, with all attempts in order and who was asked for what", () =>
    Effect.gen(function* () {
      const failing = fails(overloaded())
      const { asked, value } = yield* using({ first: failing, second: failing }, generated)
      expect(asked).toEqual(["anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5", "openai/gpt-5"])
      expect(value).toMatchObject({ provider: "openai", model: "gpt-5", content: answer.content, usage: answer.usage })
      expect(value.attempts.map(({ error_class, model, n, provider }) => [n, provider, model, error_class])).toEqual([
        [1, "anthropic", "claude-sonnet-4-5", "Overloaded"],
        [2, "anthropic", "claude-sonnet-4-5", "Overloaded"],
        [3, "anthropic", "claude-haiku-4-5", "Overloaded"],
        [4, "anthropic", "claude-haiku-4-5", "Overloaded"],
        [5, "openai", "gpt-5", null],
      ])
    }),
  )

  it.effect("what no other try mends goes straight to the caller, as the client's own error", () =>
    Effect.gen(function* () {
      const refused = overloaded({ reason: "Authentication", retryable: false })
      const { asked, value } = yield* using({ first: fails(refused), second: answers }, (client) =>
        Effect.flip(generated(client)),
      )
      expect(value).toBe(refused)
      expect(asked).toHaveLength(1)
      const later = yield* using({ first: fails(overloaded()), second: fails(refused) }, (client) =>
        Effect.flip(generated(client)),
      )
      expect(later.asked).toHaveLength(2)
      expect(later.value).toMatchObject({ reason: "Authentication", retryable: false })
      expect(later.value.attempts).toHaveLength(4)
      expect(later.value.message).toContain("claude-sonnet-4-5 at anthropic: Overloaded")
    }),
  )

  it.effect("what failed attempts are billed stands in an attempt each, once, and in the error's usage together", () =>
    Effect.gen(function* () {
      const usage = Usage.fromMessagesApi({ input_tokens: 100, output_tokens: 7 }, "lower_bound")
      const billed = overloaded({ reason: "EmptyResponse", usage })
      const noAttempts = overloaded({ usage, attempts: [] })
      const { value } = yield* using({ first: fails(billed), second: fails(noAttempts) }, generated)
      expect(value.attempts.map(({ token_usage }) => token_usage?.total_tokens)).toEqual([
        undefined,
        107,
        107,
        undefined,
      ])
      const final = overloaded({ retryable: false, usage })
      const failed = yield* using({ first: fails(billed), second: fails(final) }, (client) =>
        Effect.flip(generated(client)),
      )
      expect(failed.value.usage).toMatchObject({ uncachedInput: 200, output: 14, source: "lower_bound" })
    }),
  )

  it.effect("a stream turns to the next before its first chunk", () =>
    Effect.gen(function* () {
      const { asked, value } = yield* using({ first: fails(overloaded()), second: answers }, (client) =>
        Stream.runCollect(client.stream(request)),
      )
      expect(asked).toEqual(["anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"])
      const [begun, , last] = [...value]
      expect(begun).toMatchObject({
        _tag: "Started",
        model: "claude-haiku-4-5",
        attempts: [{ n: 1 }, { n: 2 }, { n: 3 }],
      })
      expect(last).toMatchObject({ _tag: "Finished", response: { provider: "anthropic", model: "claude-haiku-4-5" } })
    }),
  )

  it.effect("a stream that has begun never turns to another", () =>
    Effect.gen(function* () {
      const error = overloaded()
      const begun: LlmChunk = { _tag: "Text", index: 0, text: "A bo" }
      const firstStream = () => Stream.concat(Stream.succeed(begun), Stream.fail(error))
      const { asked, value } = yield* using({ first: answers, second: answers, firstStream }, (client) =>
        Effect.flip(lastChunk(client)),
      )
      expect(value).toBe(error)
      expect(asked).toEqual([])
    }),
  )
})
