import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { StatsGroup } from "../domain/Stats.js"
import { badRequest, invalid } from "./ApiErrors.js"
import { CallsQuery, StatsQuery } from "./ApiQueries.js"

/** Every call that bears cost, as lines. */
export const listCalls = HttpApiEndpoint.get("listCalls", "/api/v1/calls")
  .setUrlParams(CallsQuery)
  .addSuccess(HttpApiSchema.Text({ contentType: "application/x-ndjson" }))
  .addError(badRequest)
  .annotateContext(
    OpenApi.annotations({
      summary: "Calls that bear their own cost",
      description:
        "All of them (there is no limit, and unknown names in the query are ignored), newest first, one JSON object a line: what was called when, by whom, at which commit, its tokens and cost. A call that other calls ran inside of is left out, so that sums over these lines count nothing twice.",
    }),
  )

/** What calls add up to, by group. */
export const getStats = HttpApiEndpoint.get("getStats", "/api/v1/stats")
  .setUrlParams(StatsQuery)
  .addError(badRequest)
  .addError(invalid)
  .addSuccess(Schema.Array(StatsGroup))
  .annotateContext(
    OpenApi.annotations({
      summary: "What calls used and cost",
      description:
        "Groups of calls by group_by (model when absent: the one that was asked, also where a fallback answered). Simulated money stands apart, unpriced calls are counted. Asked by or for a job_type, rows of that type count as calls too.",
    }),
  )
