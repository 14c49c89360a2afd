import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { ExportFormat } from "../domain/ExportFormat.js"
import { PruneGoal, PrunePlace, PruneStep } from "../domain/Pruning.js"
import { StoreCondition } from "../domain/StoreCondition.js"
import { invalid, refused } from "./ApiErrors.js"
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
