import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { LlmClient, type LlmClientService } from "../services/LlmClient.js"
import { type Attempt, LlmError, type LlmRequest, type LlmResponse } from "../src/domain/Llm.js"
import type { LlmChunk } from "../src/domain/LlmChunk.js"
import { add, none, toWire } from "../src/domain/Usage.js"

/** Who is asked when those before have failed; `model` in place of the request's own. */
export interface Alternate<E = never, R = never> {
  readonly client: Layer.Layer<LlmClient, E, R>
  readonly model?: string | undefined
}

export interface LlmClientFallbackOptions<E, R> {
  readonly primary: Layer.Layer<LlmClient, E, R>
  /** In the order in which they are asked. */
  readonly alternates: ReadonlyArray<Alternate<E, R>>
}

interface Candidate {
  readonly client: LlmClientService
  readonly model: string | undefined
}

/** What one who was asked before has left: its attempts, and its error. */
interface Before {
  readonly attempts: ReadonlyArray<Attempt>
  readonly errors: ReadonlyArray<{ readonly who: string; readonly error: LlmError }>
}

const NOBODY: Before = { attempts: [], errors: [] }

const requestTo = ({ model }: Candidate, request: LlmRequest): LlmRequest =>
  model === undefined ? request : { ...request, model }

const nameOf = ({ client }: Candidate, source: LlmResponse["source"]): string =>
  source === "provider" ? client.provider : source

/** Who is behind what a candidate told: one behind it that it names, or itself. */
const whoIs = ({ client }: Candidate, told: Pick<LlmResponse, "baseUrl" | "provider">) => ({
  provider: told.provider ?? client.provider,
  baseUrl: told.baseUrl === undefined ? client.baseUrl : told.baseUrl,
})

/** Attempts as a part of the whole call: numbered on, with who was asked for which model. */
const marked = (
  attempts: ReadonlyArray<Attempt>,
  before: Before,
  asked: { readonly provider: string; readonly model: string },
): ReadonlyArray<Attempt> => [
  ...before.attempts,
  ...attempts.map((attempt, index) => ({ ...asked, ...attempt, n: before.attempts.length + index + 1 })),
]

/** One candidate's turn. */
interface Turn {
  readonly candidate: Candidate
  readonly request: LlmRequest
  readonly before: Before
  readonly startedAt: number
  readonly startedNanos: bigint
}

/** The attempts of an error: one at least, and what it is billed in one of them. */
const attemptsOf = (error: LlmError, { startedAt, startedNanos }: Turn, now: bigint): ReadonlyArray<Attempt> => {
  const attempts = Arr.isNonEmptyReadonlyArray(error.attempts)
    ? error.attempts
    : Arr.of<Attempt>({
        n: 1,
        started_at: new Date(startedAt).toISOString(),
        duration_ms: Math.max(0, Math.round(Number(now - startedNanos) / 1e3) / 1e3),
        http_status: error.status,
        error_class: error.reason,
        retry_after_ms: null,
      })
  if (error.usage.source === "none" || attempts.some(({ token_usage }) => token_usage !== undefined)) return attempts
  const bill = { token_usage: toWire(error.usage), usage_source: error.usage.source }
  return [...Arr.initNonEmpty(attempts), { ...Arr.lastNonEmpty(attempts), ...bill }]
}

const failed = (turn: Turn, error: LlmError): Effect.Effect<Before> =>
  Effect.map(Clock.currentTimeNanos, (now) => {
    const { before, candidate, request } = turn
    const asked = { provider: nameOf(candidate, error.source), model: request.model }
    return {
      attempts: marked(attemptsOf(error, turn, now), before, asked),
      errors: [...before.errors, { who: `${request.model} at ${asked.provider}`, error }],
    }
  })

/** The error of the last who was asked, with the attempts and the usage of all; of one alone it is that one's very error. */
const together = ({ candidate }: Turn, { attempts, errors }: Before, last: LlmError): LlmError => {
  if (errors.length < 2) return last
  const earlier = errors.slice(0, -1).map(({ error, who }) => `${who}: ${error.reason}`)
  return new LlmError({
    reason: last.reason,
    message: `${last.message} Asked before it: ${earlier.join(", ")}.`,
    retryable: last.retryable,
    status: last.status,
    requestId: last.requestId,
    attempts,
    usage: errors.reduce((sum, { error }) => add(sum, error.usage), none),
    source: last.source,
    ...whoIs(candidate, last),
    cause: last,
  })
}

/** What an answer says of who gave it; the first's own is left as it is. */
const told = ({ before, candidate, request }: Turn, response: LlmResponse): LlmResponse => {
  if (before.errors.length === 0) return response
  const asked = { provider: nameOf(candidate, response.source), model: request.model }
  return {
    ...response,
    ...whoIs(candidate, response),
    model: response.model ?? request.model,
    attempts: marked(response.attempts, before, asked),
  }
}

const chunkTold = (turn: Turn, chunk: LlmChunk): LlmChunk => {
  if (chunk._tag === "Finished") return { ...chunk, response: told(turn, chunk.response) }
  if (chunk._tag !== "Started" || turn.before.errors.length === 0) return chunk
  const { candidate, before, request } = turn
  const asked = { provider: nameOf(candidate, chunk.source), model: request.model }
  return {
    ...chunk,
    ...whoIs(candidate, chunk),
    model: chunk.model ?? request.model,
    attempts: marked(chunk.attempts, before, asked),
  }
}

const make = (first: Candidate, alternates: ReadonlyArray<Candidate>): LlmClientService => {
  const turnOf = (candidate: Candidate, request: LlmRequest, before: Before): Effect.Effect<Turn> =>
    Effect.map(Effect.all([Clock.currentTimeMillis, Clock.currentTimeNanos]), ([startedAt, startedNanos]) => ({
      candidate,
      request: requestTo(candidate, request),
      before,
      startedAt,
      startedNanos,
    }))

  const generate = (
    request: LlmRequest,
    candidate: Candidate,
    others: ReadonlyArray<Candidate>,
    before: Before,
  ): Effect.Effect<LlmResponse, LlmError> =>
    Effect.gen(function* () {
      const turn = yield* turnOf(candidate, request, before)
      return yield* candidate.client.generate(turn.request).pipe(
        Effect.map((response) => told(turn, response)),
        Effect.catchTag("LlmError", (error) =>
          Effect.flatMap(failed(turn, error), (all) => {
            const [next, ...rest] = others
            return next === undefined || !error.retryable
              ? Effect.fail(together(turn, all, error))
              : generate(request, next, rest, all)
          }),
        ),
      )
    })

  const stream = (
    request: LlmRequest,
    candidate: Candidate,
    others: ReadonlyArray<Candidate>,
    before: Before,
  ): Stream.Stream<LlmChunk, LlmError> =>
    Stream.unwrap(
      Effect.map(turnOf(candidate, request, before), (turn) => {
        let hasBegun = false
        return candidate.client.stream(turn.request).pipe(
          Stream.map((chunk) => {
            hasBegun = true
            return chunkTold(turn, chunk)
          }),
          Stream.catchAll((error) =>
            Stream.unwrap(
              Effect.map(failed(turn, error), (all) => {
                const [next, ...rest] = others
                return next === undefined || !error.retryable || hasBegun
                  ? Stream.fail(together(turn, all, error))
                  : stream(request, next, rest, all)
              }),
            ),
          ),
        )
      }),
    )

  return {
    provider: first.client.provider,
    baseUrl: first.client.baseUrl,
    generate: (request) => generate(request, first, alternates, NOBODY),
    stream: (request) => stream(request, first, alternates, NOBODY),
  }
}

const built = <E, R>({ client, model }: Alternate<E, R>) =>
  Effect.map(Layer.build(client), (context): Candidate => ({ client: Context.get(context, LlmClient), model }))

/**
 * Asks one client, and where that fails in a way that another try might mend, the next: another endpoint, another model, or both.
 * What no other try mends goes straight to the caller. The attempts of all stand in the answer or the error, in their order, each
 * with who was asked for which model; what failed ones are billed is told beside them. An answer says who gave it, and where, and is priced so;
 * an error says who was asked last.
 * A stream turns to the next only before its first chunk. The client is named after the first; each client retries by itself
 * before the next is asked, so that a call may take as long as all of them together.
 */
export const layer = <E = never, R = never>(options: LlmClientFallbackOptions<E, R>): Layer.Layer<LlmClient, E, R> =>
  Layer.scoped(
    LlmClient,
    Effect.gen(function* () {
      const first = yield* built({ client: options.primary })
      return make(first, yield* Effect.forEach(options.alternates, built))
    }),
  )
