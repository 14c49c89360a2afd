import type { Socket } from "node:net"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { RunChange, RunStoreError, RunStoreService, StorePosition } from "../../services/RunStore.js"
import type { RunFilter } from "../domain/Run.js"
import type { Refused } from "./ApiErrors.js"
import type { StreamQuery } from "./ApiQueries.js"
import { problem } from "./Problems.js"
import * as RunQuery from "./RunQuery.js"

/** How long a stream is silent at most. */
const HEARTBEAT = Duration.seconds(15)
/** Changes that come in quick succession go out together, and a row that changes all the time goes out so often at most. */
const PACE = Duration.millis(25)
/** Between two looks at changes of which none is wanted: others get their turn. */
const BREATH = Duration.millis(1)
const RETRY_MILLIS = 2000
const RETRY_AFTER_SECONDS = 5
/** What a client that reads nothing gets to end by itself when the server stops. */
const LEAVE = Duration.millis(500)
const LEAVE_POLL = Duration.millis(10)

/** The streams of one server. */
export interface LiveStreamsService {
  readonly respond: (
    query: StreamQuery,
  ) => Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    RunStoreError | Refused,
    HttpServerRequest.HttpServerRequest | Scope.Scope
  >
  /** Ends all streams, at once; those that do not take it are cut off. No new one begins. */
  readonly close: Effect.Effect<void>
}

export class LiveStreams extends Context.Tag("runledger/server/LiveStreams")<LiveStreams, LiveStreamsService>() {}

const idOf = (store: string, revision: number): string => `${revision}-${store}`

const ID = /^(\d{1,15})(?:-([0-9a-f]{8}))?$/

/** Where a stream begins; `reset` when what was asked for is not to be had. */
interface Start {
  readonly revision: number
  readonly reset: string | undefined
}

const startOf = (lastEventId: string | undefined, { store, revision }: StorePosition): Start => {
  if (lastEventId === undefined || lastEventId === "") return { revision, reset: undefined }
  const [, number, name] = ID.exec(lastEventId) ?? []
  if (number === undefined) return { revision, reset: "That Last-Event-ID is not one that this server gave." }
  if (name !== undefined && name !== store) return { revision, reset: "That Last-Event-ID is another store's." }
  if (Number(number) > revision) return { revision, reset: "That Last-Event-ID is newer than this store." }
  return { revision: Number(number), reset: undefined }
}

const opening = (store: string, { revision, reset }: Start): string => {
  const id = `id: ${idOf(store, revision)}\n`
  const begin = `retry: ${RETRY_MILLIS}\n${id}`
  return reset === undefined
    ? `${begin}\n`
    : `${begin}event: reset\ndata: ${JSON.stringify({ detail: `${reset} Read the list again; what changes from here on follows.` })}\n\n`
}

const encoder = new TextEncoder()

const eventOf =
  (store: string) =>
  ({ revision, text }: RunChange): string =>
    `id: ${idOf(store, revision)}\nevent: run\ndata: ${text}\n\n`

type Changing = Pick<RunStoreService, "changes" | "awaitChange">

interface Step {
  readonly text: string
  readonly revision: number
}

/** What goes out next: changes, or after a while of silence a sign of life that says how far was looked. */
const next = (store: Changing, name: string, filter: RunFilter, from: number): Effect.Effect<Step, RunStoreError> => {
  const heartbeat = (revision: number): Step => ({ text: `: heartbeat\nid: ${idOf(name, revision)}\n\n`, revision })
  let seen = from
  const look: Effect.Effect<Step, RunStoreError> = Effect.gen(function* () {
    const { changes, revision, more } = yield* store.changes(filter, seen)
    if (changes.length > 0) return { text: changes.map(eventOf(name)).join(""), revision }
    seen = revision
    yield* more ? Effect.sleep(BREATH) : Effect.delay(store.awaitChange(seen), PACE)
    return yield* look
  })
  return Effect.flatMap(Effect.timeoutOption(look, HEARTBEAT), (step) =>
    Effect.succeed(Option.getOrElse(step, () => heartbeat(seen))),
  )
}

/** What a stream sends, from its first line on; it ends only when the store fails, which is logged. */
export const bytesOf = (store: Changing, filter: RunFilter, name: string, start: Start) =>
  Stream.make(opening(name, start)).pipe(
    Stream.concat(
      Stream.paginateChunkEffect(start.revision, (from) =>
        Effect.map(next(store, name, filter, from), ({ text, revision }) => [Chunk.of(text), Option.some(revision)]),
      ),
    ),
    Stream.map((text) => encoder.encode(text)),
    Stream.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause)
        ? Stream.failCause(Cause.interrupt(FiberId.none))
        : Stream.drain(Stream.fromEffect(Effect.logError("A stream of changes ended early.", cause))),
    ),
  )

const tooMany = (most: number) =>
  problem(503, `This server has ${most} streams open and opens no more. Close one, or ask again later.`, {
    "retry-after": String(RETRY_AFTER_SECONDS),
  })

/**
 * Server-Sent Events of a store's changes. Each stream pulls from the store at the pace of its reader, so that a slow one holds
 * one lot of changes and no more; beyond `most` streams the answer is 503.
 */
export const make = (store: RunStoreService, most: number): Effect.Effect<LiveStreamsService> =>
  Effect.gen(function* () {
    const stopping = yield* Deferred.make<void>()
    const open = new Set<Socket>()

    const respond: LiveStreamsService["respond"] = (query) =>
      Effect.gen(function* () {
        const filter = yield* RunQuery.filter(query)
        const request = yield* HttpServerRequest.HttpServerRequest
        if (open.size >= most || (yield* Deferred.isDone(stopping))) return tooMany(most)
        const { socket } = NodeHttpServerRequest.toIncomingMessage(request)
        yield* Effect.acquireRelease(
          Effect.sync(() => open.add(socket)),
          () => Effect.sync(() => open.delete(socket)),
        )
        const position = yield* store.position
        const start = startOf(request.headers["last-event-id"] ?? query.last_event_id, position)
        return HttpServerResponse.stream(
          bytesOf(store, filter, position.store, start).pipe(Stream.interruptWhen(Deferred.await(stopping))),
          { contentType: "text/event-stream", headers: { "x-accel-buffering": "no" } },
        )
      })

    const left = Effect.sync(() => open.size === 0).pipe(
      Effect.repeat({ until: (isEmpty) => isEmpty, schedule: Schedule.spaced(LEAVE_POLL) }),
      Effect.interruptible,
      Effect.timeoutOption(LEAVE),
    )

    const close = Deferred.succeed(stopping, undefined).pipe(
      Effect.zipRight(left),
      Effect.zipRight(
        Effect.sync(() => {
          for (const socket of open) socket.destroy()
        }),
      ),
    )

    return { respond, close }
  })
