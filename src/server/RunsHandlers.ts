import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { PATCH_FIELDS, RunCreate, RunPatch } from "../domain/Run.js"
import { Api, type BatchReply, MAX_BATCH } from "./Api.js"
import { type Invalid, Refused } from "./ApiErrors.js"
import * as CommitHandlers from "./CommitHandlers.js"
import { decoder, inWords, one } from "./Decoding.js"
import * as EventsPage from "./EventsPage.js"
import { LiveStreams } from "./LiveStream.js"
import * as Operations from "./Operations.js"
import * as RequestBody from "./RequestBody.js"
import * as RunQuery from "./RunQuery.js"
import { hidden } from "./StoreErrors.js"
import * as WholeStream from "./WholeStream.js"

const decodeRun = decoder(RunCreate)
const decodePatch = decoder(RunPatch)

const notFound = (id: string): Refused => new Refused({ status: 404, detail: `There is no run ${id}` })

/** A store's own values, already valid: they go out as they are. */
const sent = (body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Records the run in the current request's body. */
export const create = (store: RunStoreService) =>
  Effect.gen(function* () {
    const run = yield* decodeRun(yield* RequestBody.json(RequestBody.MAX_BODY_BYTES))
    const [outcome] = yield* store.insert([run])
    const { event_id, run_id } = run
    return outcome === "duplicate"
      ? sent({ status: "duplicate", event_id, run_id, message: "This event_id is known; nothing was changed." })
      : sent({ status: "created", event_id, run_id }, 201)
  })

const batchOf = (
  body: unknown,
): Either.Either<{ readonly rows: ReadonlyArray<unknown>; readonly status: number }, Invalid> => {
  const bare = Array.isArray(body)
  const rows: unknown = bare ? body : isObject(body) ? body["runs"] : undefined
  const loc = bare ? ["body"] : ["body", "runs"]
  if (!Array.isArray(rows)) return Either.left(one(loc, "expected an array of runs", "list_type"))
  if (rows.length > MAX_BATCH)
    return Either.left(one(loc, `has more than ${MAX_BATCH} runs; send them in batches`, "too_long"))
  return Either.right({ rows, status: bare ? 200 : 201 })
}

const nameOf = (row: unknown, index: number): string => {
  const id = isObject(row) ? row["event_id"] : undefined
  return typeof id === "string" && id !== "" ? id.slice(0, 255) : `#${index}`
}

/** Records the runs in the current request's body, each understood alone. */
export const createMany = (store: RunStoreService) =>
  Effect.gen(function* () {
    const { rows, status } = yield* batchOf(
      yield* RequestBody.json(RequestBody.MAX_BODY_BYTES, RequestBody.ROWS_NESTING),
    )
    const decoded = rows.map((row) => decodeRun(row))
    const outcomes = yield* store.insert(decoded.flatMap((run) => (Either.isRight(run) ? [run.right] : [])))
    const reply: BatchReply = {
      inserted: outcomes.filter((outcome) => outcome === "created").length,
      duplicates: outcomes.filter((outcome) => outcome === "duplicate").length,
      errors: decoded.flatMap((run, index) =>
        Either.isLeft(run) ? [`${nameOf(rows[index], index)}: ${inWords(run.left)}`] : [],
      ),
      total: rows.length,
    }
    return sent(reply, status)
  })

const change = (store: RunStoreService, eventId: string) =>
  Effect.gen(function* () {
    const patch = yield* decodePatch(yield* RequestBody.json(RequestBody.MAX_BODY_BYTES))
    if (!PATCH_FIELDS.some((field) => patch[field] !== undefined)) {
      return yield* new Refused({
        status: 400,
        detail: `There is nothing to update. Give at least one of ${PATCH_FIELDS.join(", ")}.`,
      })
    }
    const changed = yield* store.update(eventId, patch)
    if (Option.isNone(changed)) return yield* notFound(eventId)
    const { fields, ignored } = changed.value
    return sent({
      event_id: eventId,
      updated: ignored === null,
      fields_updated: fields,
      ...(ignored === null ? {} : { message: ignored }),
    })
  })

const encoder = new TextEncoder()
const OPEN = encoder.encode("[")
const CLOSE = encoder.encode("]\n")

/** Rows as one JSON array, never held as a whole. */
const arrayOf = <E>(rows: Stream.Stream<Uint8Array, E>): Stream.Stream<Uint8Array, E> =>
  Stream.make(OPEN).pipe(Stream.concat(rows), Stream.concat(Stream.make(CLOSE)))

const sentJson = (parts: ReadonlyArray<Uint8Array>, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.uint8Array(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts), {
    headers,
    contentType: "application/json",
  })

/** The same request from another row on: a reference relative to the server, so that no name of it is needed. */
const nextLink = (requestUrl: string, next: RunQuery.Cursor, limit: number): string => {
  const searchParams = new URLSearchParams(requestUrl.split("?")[1] ?? "")
  searchParams.delete("offset")
  searchParams.set("limit", String(limit))
  searchParams.set("cursor", RunQuery.cursorText(next))
  return `</api/v1/runs?${searchParams.toString()}>; rel="next"`
}

const list = (store: RunStoreService, listing: RunQuery.Listing) =>
  Effect.gen(function* () {
    const total = yield* store.count(listing.filter)
    const headers = { "x-total-count": String(total) }
    if (listing.kind === "all") {
      const rows = yield* WholeStream.begun(store.json.rows(listing.filter, { offset: listing.offset }))
      const whole = yield* WholeStream.orCutOff(arrayOf(rows))
      return HttpServerResponse.stream(whole, { headers, contentType: "application/json" })
    }
    const { json, next } = yield* store.json.page(listing.filter, listing.page)
    const array = [OPEN, json, CLOSE]
    if (next === undefined) return sentJson(array, headers)
    const request = yield* HttpServerRequest.HttpServerRequest
    return sentJson(array, { ...headers, link: nextLink(request.url, next, listing.page.limit) })
  })

const tree = (store: RunStoreService, id: string) =>
  Effect.flatMap(
    store.json.tree(id),
    Option.match({ onNone: () => Effect.fail(notFound(id)), onSome: (json) => Effect.succeed(sentJson([json])) }),
  )

/** The handlers of {@link Api}'s runs. */
export const layer = HttpApiBuilder.group(Api, "runs", (handlers) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const streams = yield* LiveStreams
    const found = (id: string) =>
      Effect.flatMap(
        store.get(id),
        Effect.mapError(() => notFound(id)),
      )
    return handlers
      .handleRaw("createRun", () => hidden(create(store)))
      .handleRaw("createRuns", () => hidden(createMany(store)))
      .handleRaw("updateRun", ({ path }) => hidden(change(store, path.id)))
      .handleRaw("listRuns", ({ urlParams }) =>
        hidden(Effect.flatMap(RunQuery.listing(urlParams), (listing) => list(store, listing))),
      )
      .handleRaw("getRun", ({ path }) => hidden(Effect.map(found(path.id), (run) => sent(run))))
      .handleRaw("getTree", ({ path }) => hidden(tree(store, path.id)))
      .handleRaw("getEvents", ({ path, urlParams }) => hidden(EventsPage.respond(store, path.id, urlParams)))
      .handleRaw("getCommitUrl", ({ path }) =>
        hidden(Effect.map(found(path.id), ({ commit_url }) => sent({ commit_url }))),
      )
      .handleRaw("getRepoUrl", ({ path }) => hidden(Effect.map(found(path.id), ({ repo_url }) => sent({ repo_url }))))
      .handleRaw("associateCommit", ({ path, urlParams }) =>
        hidden(CommitHandlers.associate(store, path.id, urlParams)),
      )
      .handleRaw("getStream", ({ urlParams }) => hidden(streams.respond(urlParams)))
      .handleRaw("applyOperations", () => hidden(Operations.apply(store)))
      .handleRaw("getStats", ({ urlParams }) =>
        hidden(
          Effect.flatMap(RunQuery.stats(urlParams), ({ groupBy, filter }) => store.json.stats(groupBy, filter)).pipe(
            Effect.map((json) => sentJson([json])),
          ),
        ),
      )
  }),
)
