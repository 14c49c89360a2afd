import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AnswerSource, LlmError, LlmRequest } from "../src/domain/Llm.js"
import {
  begun,
  type LlmChunk,
  ofContent,
  type Text,
  type Thinking,
  type ToolInput,
  type Used,
} from "../src/domain/LlmChunk.js"
import { SANDBOX_HEADER } from "../src/domain/SandboxHeader.js"
import type { Usage } from "../src/domain/Usage.js"
import { type AttemptFailure, failure } from "./AttemptFailure.js"
import * as AttemptLog from "./AttemptLog.js"
import { type Asking, type Policy, retries, toError } from "./ProviderAttempts.js"
import {
  answerIn,
  type Broken,
  believed,
  connectionFailure,
  type DecodedAnswer,
  isJson,
  mediaType,
  type OnHeaders,
  request as send,
  short,
  unreachable,
} from "./ProviderHttp.js"

/** A Server-Sent Event: its name, null when it has none, and its data. */
export interface ServerEvent {
  readonly event: string | null
  readonly data: string
}

/** What an event tells: that the answer begins, more of it, or that it is whole. */
export type Told =
  | { readonly _tag: "Begun"; readonly model: string | null; readonly usage: Usage }
  | Text
  | Thinking
  | ToolInput
  | Used
  | { readonly _tag: "Answered"; readonly answer: DecodedAnswer }

/** Reads the events of one answer, in their order. */
export interface StreamReader {
  readonly read: (event: ServerEvent) => Either.Either<ReadonlyArray<Told>, Broken>
  /** What is billed for sure, by what was read so far. */
  readonly used: () => Usage
}

/** How a provider streams, through its SDK. */
export interface StreamProtocol<Client> {
  /** Asks for a stream and gives the response as it comes, its body unread. */
  readonly post: (client: Client, wanted: LlmRequest, signal: AbortSignal) => Promise<Response>
  /** The events of a response's body, those that only keep the connection alive among them. */
  readonly events: (response: Response, controller: AbortController) => AsyncIterator<ServerEvent>
  readonly reader: () => StreamReader
}

export interface StreamAsking<Client> extends Asking<Client> {
  readonly streaming: StreamProtocol<Client>
}

/** An answer that has begun. */
interface Flow {
  readonly status: number
  readonly requestId: string | null
  readonly events: AsyncIterator<ServerEvent>
  readonly reader: StreamReader
  readonly running: AttemptLog.Running
  readonly startedAt: number
  /** Milliseconds that the reader of the stream took for itself. */
  idleMs: number
}

const monotonicMillis = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

const silent = (policy: Policy): AttemptFailure =>
  failure({ reason: "Timeout", detail: `no word within ${Duration.format(policy.timeout)}`, again: true })

const tooLong = (policy: Policy): AttemptFailure =>
  failure({ reason: "Timeout", detail: `the stream has not ended within ${Duration.format(policy.streamTimeout)}` })

/** A failure within an answer, with what is known of it. */
const within = (flow: Flow, failed: AttemptFailure): AttemptFailure =>
  failure({
    ...failed,
    retryable: failed.retryable || failed.again,
    status: flow.status,
    requestId: flow.requestId,
    usage: failed.usage.source === "none" ? believed(flow.reader.used()) : failed.usage,
  })

/** What the next event tells; mostly one thing, of a ping nothing. */
const next = <Client>(asking: Asking<Client>, flow: Flow): Effect.Effect<ReadonlyArray<Told>, AttemptFailure> =>
  Effect.gen(function* () {
    const { endpoint, policy } = asking
    const spent = (yield* monotonicMillis) - flow.startedAt - flow.idleMs
    const left = Duration.millis(Math.max(0, Duration.toMillis(policy.streamTimeout) - spent))
    const isShort = Duration.lessThan(left, policy.timeout)
    const { done, value } = yield* Effect.tryPromise({
      try: () => flow.events.next(),
      catch: (cause) => connectionFailure(cause, "the connection ended within the answer", endpoint.secrets),
    }).pipe(
      Effect.timeoutFail({
        duration: isShort ? left : policy.timeout,
        onTimeout: () => (isShort ? tooLong(policy) : silent(policy)),
      }),
    )
    if (done === true) {
      return yield* failure({ reason: "Connection", detail: "the stream ended before the answer did", again: true })
    }
    return yield* Either.mapLeft(flow.reader.read(value), (broken) =>
      failure({ ...broken, detail: short(broken.detail, endpoint.secrets) }),
    )
  }).pipe(Effect.mapError((failed) => within(flow, failed)))

/** Reads until there is something to tell. */
const some = <Client>(asking: Asking<Client>, flow: Flow): Effect.Effect<ReadonlyArray<Told>, AttemptFailure> =>
  Effect.flatMap(next(asking, flow), (told) => (told.length === 0 ? some(asking, flow) : Effect.succeed(told)))

const unusable = <Client>(asking: Asking<Client>, response: Response, requestId: string | null) => {
  const type = mediaType(response)
  if (type === "text/event-stream") return Effect.void
  return failure({
    reason: "MalformedResponse",
    detail: `the answer is ${short(type, asking.endpoint.secrets) || "of no stated type"}, not an event stream`,
    retryable: true,
    status: response.status,
    requestId,
  })
}

/** The whole answer, where a server gives it at once although a stream was asked for. */
const atOnce = <Client>(
  { endpoint, policy, protocol }: Asking<Client>,
  response: Response,
): Effect.Effect<ReadonlyArray<Told>, AttemptFailure> =>
  answerIn(protocol, response, endpoint.secrets).pipe(
    Effect.timeoutFail({ duration: policy.timeout, onTimeout: () => silent(policy) }),
    Effect.map(({ answer }) => [
      { _tag: "Begun", model: answer.model, usage: begun(answer.usage) },
      ...ofContent(answer.content),
      { _tag: "Answered", answer },
    ]),
  )

interface Opened {
  readonly flow: Flow
  readonly told: ReadonlyArray<Told>
}

/** One attempt, up to the first thing that it tells; it is noted when it fails. */
const open = <Client>(
  asking: StreamAsking<Client>,
  wanted: LlmRequest,
  log: AttemptLog.AttemptLog,
  onHeaders: OnHeaders,
): Effect.Effect<Opened, AttemptFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const { endpoint, policy, protocol, streaming } = asking
    const startedAt = yield* monotonicMillis
    const running = yield* log.begin
    const controller = yield* Effect.acquireRelease(
      Effect.sync(() => new AbortController()),
      (opened) => Effect.sync(() => opened.abort()),
    )
    return yield* Effect.gen(function* () {
      const { client } = endpoint
      if (client === null) return yield* unreachable(endpoint)
      const response = yield* send(protocol, endpoint.secrets, onHeaders, () =>
        streaming.post(client, wanted, controller.signal),
      ).pipe(Effect.timeoutFail({ duration: policy.timeout, onTimeout: () => silent(policy) }))
      const requestId = response.headers.get(protocol.requestIdHeader)
      if (!isJson(response)) yield* unusable(asking, response, requestId)
      const events = streaming.events(response, controller)
      const reader = streaming.reader()
      const flow: Flow = { status: response.status, requestId, events, reader, running, startedAt, idleMs: 0 }
      const told = isJson(response) ? atOnce(asking, response) : some(asking, flow)
      return { flow, told: yield* Effect.mapError(told, (failed) => within(flow, failed)) }
    }).pipe(
      Effect.tapError((failed) =>
        Effect.zipRight(
          Effect.sync(() => controller.abort()),
          running.end(failed),
        ),
      ),
    )
  })

/** The chunks of what was told; the last of an answer closes its attempt. */
const chunks = (
  flow: Flow,
  log: AttemptLog.AttemptLog,
  source: AnswerSource,
  told: ReadonlyArray<Told>,
): Effect.Effect<Chunk.Chunk<LlmChunk>> =>
  Effect.map(
    Effect.forEach(told, (one): Effect.Effect<LlmChunk> => {
      switch (one._tag) {
        case "Begun":
          return Effect.map(Effect.all([log.all, flow.running.soFar(flow, flow.idleMs)]), ([earlier, now]) => ({
            _tag: "Started",
            model: one.model,
            requestId: flow.requestId,
            source,
            usage: believed(one.usage),
            attempts: [...earlier, now],
          }))
        case "Answered":
          return Effect.gen(function* () {
            yield* flow.running.end(flow, flow.idleMs)
            const { answer } = one
            const attempts = yield* log.all
            const response = { ...answer, usage: believed(answer.usage), requestId: flow.requestId, attempts, source }
            return { _tag: "Finished", response }
          })
        case "Used":
          return Effect.succeed({ ...one, usage: believed(one.usage) })
        default:
          return Effect.succeed(one)
      }
    }),
    Chunk.fromIterable,
  )

const isWhole = (told: ReadonlyArray<Told>): boolean => told.some(({ _tag }) => _tag === "Answered")

/**
 * The answer in chunks, tried again as often as the policy allows until it has begun, and never after. Its attempts are in its
 * last chunk, or in its error. Closing its scope aborts the request.
 */
export const stream =
  <Client>(asking: StreamAsking<Client>) =>
  (request: LlmRequest): Stream.Stream<LlmChunk, LlmError> =>
    Stream.unwrapScoped(
      Effect.gen(function* () {
        const { endpoint, nextStep, policy, unanswered } = asking
        const log = AttemptLog.make()
        const source = yield* Ref.make(unanswered)
        const failed = (cause: AttemptFailure): Effect.Effect<never, LlmError> =>
          Effect.flatMap(Effect.all([log.all, Ref.get(source)]), ([attempts, from]) =>
            toError(cause, { request, endpoint, attempts, source: from, nextStep }),
          )
        const { flow, told } = yield* open(asking, request, log, (headers) =>
          Ref.set(source, headers.has(SANDBOX_HEADER) ? "sandbox" : "provider"),
        ).pipe(Effect.retry(retries(policy)), Effect.catchAll(failed))
        const from = yield* Ref.get(source)

        type More = Effect.Effect<ReadonlyArray<Told>, LlmError>

        const rest = (since: number): More =>
          Effect.gen(function* () {
            flow.idleMs += (yield* monotonicMillis) - since
            return yield* some(asking, flow).pipe(
              Effect.tapError((cause) => flow.running.end(cause, flow.idleMs)),
              Effect.catchAll(failed),
            )
          })

        const first: More = Effect.succeed(told)
        return Stream.paginateChunkEffect(first, (more) =>
          Effect.gen(function* () {
            const now = yield* more
            const given = yield* chunks(flow, log, from, now)
            return [given, isWhole(now) ? Option.none() : Option.some(rest(yield* monotonicMillis))] as const
          }),
        )
      }),
    )
