import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import { ExportFormat, MEDIA_TYPES } from "../domain/ExportFormat.js"
import { add, type PruneStep } from "../domain/Pruning.js"
import { fromMillis, parseMillis } from "../domain/Timestamp.js"
import { Api } from "./Api.js"
import { Refused } from "./ApiErrors.js"
import { decoder, one } from "./Decoding.js"
import * as Export from "./Export.js"
import { type ExportQuery, PruneRequest } from "./MaintenanceApi.js"
import * as Reprice from "./Reprice.js"
import * as RequestBody from "./RequestBody.js"
import * as Retention from "./Retention.js"
import * as RunQuery from "./RunQuery.js"
import { hidden } from "./StoreErrors.js"
import * as WholeStream from "./WholeStream.js"

const MAX_BODY_BYTES = 64 * 1024
/** How long one request works: far below what clients wait for. */
const WORK_MILLIS = 3000

const decodeRequest = decoder(PruneRequest)

const goalOf = ({ goal }: PruneRequest) => {
  if (goal.kind === "size") return Effect.succeed(goal)
  const millis = parseMillis(goal.before)
  return millis === undefined
    ? new Refused({ status: 400, detail: "goal.before must be an ISO-8601 timestamp with a zone" })
    : Effect.succeed({ ...goal, before: fromMillis(millis) })
}

const prune = (store: RunStoreService) =>
  Effect.gen(function* () {
    const request = yield* decodeRequest(yield* RequestBody.json(MAX_BODY_BYTES))
    const goal = yield* goalOf(request)
    const quietSince = yield* Retention.quietSince
    const until = (yield* Clock.currentTimeMillis) + WORK_MILLIS
    const step = (place: PruneStep["next"] | undefined) =>
      store.keeping.prune({ goal, quietSince, dryRun: request.dry_run, place: place ?? undefined })
    let done = yield* step(request.place)
    while (done.next !== null && (yield* Clock.currentTimeMillis) < until) {
      const more = yield* step(done.next)
      done = { ...more, pruned: add(done.pruned, more.pruned) }
    }
    return HttpServerResponse.unsafeJson(done)
  })

const formatOf = Schema.decodeUnknownOption(ExportFormat)

const exported = (store: RunStoreService, query: ExportQuery) =>
  Effect.gen(function* () {
    const format = formatOf(query.format ?? "ndjson")
    if (Option.isNone(format)) {
      return yield* one(["query", "format"], `expected one of ${ExportFormat.literals.join(", ")}`)
    }
    const filter = yield* RunQuery.filter(query)
    const runs = yield* WholeStream.begun(store.stream(filter))
    return HttpServerResponse.stream(yield* WholeStream.orCutOff(Export.encode(format.value, runs)), {
      contentType: MEDIA_TYPES[format.value],
      headers: { "content-disposition": `attachment; filename="runs.${format.value}"` },
    })
  })

/** The handlers of {@link Api}'s maintenance. */
export const layer = HttpApiBuilder.group(Api, "maintenance", (handlers) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    return handlers
      .handleRaw("getCondition", () =>
        hidden(Effect.map(store.keeping.condition, (condition) => HttpServerResponse.unsafeJson(condition))),
      )
      .handleRaw("prune", () => hidden(prune(store)))
      .handleRaw("reprice", () => hidden(Reprice.reprice(store)))
      .handleRaw("getRepricings", () => hidden(Reprice.history(store)))
      .handleRaw("getRepricedCalls", ({ path, urlParams }) => hidden(Reprice.calls(store, path.id, urlParams)))
      .handleRaw("undoRepricing", ({ path }) => hidden(Reprice.undo(store, path.id)))
      .handleRaw("exportRuns", ({ urlParams }) => hidden(exported(store, urlParams)))
  }),
)
