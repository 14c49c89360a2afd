import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { PATCH_FIELDS, RunPatch } from "../domain/Run.js"
import { Api } from "./Api.js"
import { Refused } from "./ApiErrors.js"
import type { CallsQuery } from "./ApiQueries.js"
import * as CommitHandlers from "./CommitHandlers.js"
import { decoder } from "./Decoding.js"
import * as EventsPage from "./EventsPage.js"
import { LiveStreams } from "./LiveStream.js"
import * as RequestBody from "./RequestBody.js"
import * as RunQuery from "./RunQuery.js"
import * as RunWrites from "./RunWrites.js"
import { hidden } from "./StoreErrors.js"
import * as WholeStream from "./WholeStream.js"
import * as Write from "./Write.js"

const decodePatch = decoder(RunPatch)

const notFound = (id: string): Refused => new Refused({ status: 404, detail: `There is no run ${id}` })

/** A store's own values, already valid: they go out as they are. */
const sent = (body: unknown, status = 200): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(body, { status })

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

/** Every call that bears cost, a line each, as it is read. */
const calls = (store: RunStoreService, query: CallsQuery) =>
  Effect.gen(function* () {
    const { filter, under } = yield* RunQuery.calls(query)
    const lines = yield* WholeStream.begun(store.json.calls(filter, under))
    const whole = yield* WholeStream.orCutOff(lines)
    return HttpServerResponse.stream(whole, { contentType: "application/x-ndjson" })
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
    const writes = RunWrites.make(store)
    const found = (id: string) =>
      Effect.flatMap(
        store.get(id),
        Effect.mapError(() => notFound(id)),
      )
    return handlers
      .handleRaw("createRun", () => Write.routed(writes.run))
      .handleRaw("createRuns", () => Write.routed(writes.runs))
      .handleRaw("updateRun", ({ path }) => hidden(change(store, path.id)))
      .handleRaw("listRuns", ({ urlParams }) =>
        hidden(Effect.flatMap(RunQuery.listing(urlParams), (listing) => list(store, listing))),
      )
      .handleRaw("listCalls", ({ urlParams }) => hidden(calls(store, urlParams)))
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
      .handleRaw("applyOperations", () => Write.routed(writes.operations))
      .handleRaw("getStats", ({ urlParams }) =>
        hidden(
          Effect.flatMap(RunQuery.stats(urlParams), ({ groupBy, filter }) => store.json.stats(groupBy, filter)).pipe(
            Effect.map((json) => sentJson([json])),
          ),
        ),
      )
  }),
)
