import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { ExportFormat } from "../domain/ExportFormat.js"
import { PruneGoal, PrunePlace, PruneStep } from "../domain/Pruning.js"
import { RepricedCall, RepriceFilter, RepricePlace, RepriceStep, Repricing, UndoStep } from "../domain/Repricing.js"
import { StoreCondition } from "../domain/StoreCondition.js"
import { badRequest, invalid, notJson, refused, tooLarge, tooSlow } from "./ApiErrors.js"
import { FilterQuery } from "./ApiQueries.js"

/** What one request of pruning is asked for. */
export const PruneRequest = Schema.Struct({
  goal: PruneGoal,
  dry_run: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  place: Schema.optional(PrunePlace),
}).annotations({ identifier: "PruneRequest" })
export type PruneRequest = typeof PruneRequest.Type

/** The query of `GET /api/v1/export`. */
export const ExportQuery = Schema.Struct({
  ...FilterQuery.fields,
  format: Schema.optional(
    Schema.String.annotations({ jsonSchema: { type: "string", enum: [...ExportFormat.literals] } }),
  ),
})
export type ExportQuery = typeof ExportQuery.Type

/** What one request of repricing is asked for: a dry run unless it says otherwise. */
export const RepriceRequest = Schema.Struct({
  ...RepriceFilter.fields,
  scope: Schema.optionalWith(RepriceFilter.fields.scope, { default: () => "unpriced" }),
  prices: Schema.optionalWith(RepriceFilter.fields.prices, { default: () => "of_the_call" }),
  dry_run: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  place: Schema.optional(RepricePlace),
}).annotations({ identifier: "RepriceRequest" })
export type RepriceRequest = typeof RepriceRequest.Type

/** What one request of undoing is asked for. `after` is the `next` of the answer before. */
export const UndoRequest = Schema.Struct({
  dry_run: Schema.optionalWith(Schema.Boolean, { default: () => true }),
  after: Schema.optional(Schema.String),
}).annotations({ identifier: "UndoRequest" })

/** The query of `GET /api/v1/maintenance/repricings/{id}/calls`. */
export const RepricedQuery = Schema.Struct({
  limit: Schema.optional(Schema.String),
  after: Schema.optional(Schema.String),
})
export type RepricedQuery = typeof RepricedQuery.Type

const noRepricing = refused(404, "There is no such repricing")
const repricingId = HttpApiSchema.param("id", Schema.String)

const described = (path: string, summary: string) => OpenApi.annotations({ summary, description: path })

/** Keeping house, and all runs as one file. */
export const MaintenanceGroup = HttpApiGroup.make("maintenance", { topLevel: true })
  .add(
    HttpApiEndpoint.get("getCondition", "/api/v1/maintenance")
      .addSuccess(StoreCondition)
      .annotateContext(
        described("Its size, how it was left, what the check found, whether the disk is full.", "How the store stands"),
      ),
  )
  .add(
    HttpApiEndpoint.post("prune", "/api/v1/maintenance/prune")
      .setPayload(PruneRequest)
      .addError(refused(400, "The request cannot be understood"))
      .addError(refused(408, "The body stopped coming"))
      .addError(refused(413, "The body is too large"))
      .addError(refused(415, "The body is not application/json"))
      .addError(invalid)
      .addSuccess(PruneStep)
      .annotateContext(
        described(
          "Removes whole runs that have ended (dry_run: false), or says what would go. Works for some seconds; next is where to go on, as place of another request, and null at the end.",
          "Let old runs go",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.post("reprice", "/api/v1/maintenance/reprice")
      .setPayload(RepriceRequest)
      .addError(badRequest)
      .addError(tooSlow)
      .addError(tooLarge)
      .addError(notJson)
      .addError(invalid)
      .addSuccess(RepriceStep)
      .annotateContext(
        described(
          "Changes what calls cost (dry_run: false), or says what would change, at the prices that this server has now: it reads its price file anew first. Works for some seconds; next is where to go on, as place of another request, and null at the end. What each call cost before is kept.",
          "Price calls anew",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.get("getRepricings", "/api/v1/maintenance/repricings")
      .addSuccess(Schema.Array(Repricing))
      .annotateContext(
        described("When, of which calls, by which prices, what it came to.", "All repricings, newest first"),
      ),
  )
  .add(
    HttpApiEndpoint.get("getRepricedCalls")`/api/v1/maintenance/repricings/${repricingId}/calls`
      .setUrlParams(RepricedQuery)
      .addError(noRepricing)
      .addError(invalid)
      .addSuccess(Schema.Array(RepricedCall))
      .annotateContext(
        described(
          "In the order of their event_id, after one of them; limit 1 to 1000 (100).",
          "What calls of a repricing cost before and since",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.post("undoRepricing")`/api/v1/maintenance/repricings/${repricingId}/undo`
      .setPayload(UndoRequest)
      .addError(badRequest)
      .addError(noRepricing)
      .addError(tooSlow)
      .addError(tooLarge)
      .addError(notJson)
      .addError(invalid)
      .addSuccess(UndoStep)
      .annotateContext(
        described(
          "Gives its calls back what they cost before (dry_run: false), or says how many it would; calls that were changed since stay. Works for some seconds; next is where to go on, as after of another request.",
          "Undo a repricing",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.get("exportRuns", "/api/v1/export")
      .setUrlParams(ExportQuery)
      .addError(refused(400, "The request cannot be understood"))
      .addError(invalid)
      .addSuccess(HttpApiSchema.Text({ contentType: "application/x-ndjson" }))
      .annotateContext(
        described(
          "Every match once, newest first, as they stand when they are read: one JSON object a line, CSV by RFC 4180, or Parquet. An answer that is cut off was not all.",
          "All matching runs as one file",
        ),
      ),
  )
  .addError(refused(503, "The store cannot do this now; ask again later"))
