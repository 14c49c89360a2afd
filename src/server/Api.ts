import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { CommitAssociation } from "../domain/CommitAssociation.js"
import { ChainedEvent, Event } from "../domain/Event.js"
import { ClientReport, MAX_OPERATIONS, Operation, OperationsReply } from "../domain/Operation.js"
import { PriceAge } from "../domain/PriceAge.js"
import { RunCreate, RunPatch, RunRecord } from "../domain/Run.js"
import { RunTreeNode } from "../domain/RunTree.js"
import { Metadata, MetricsReply } from "../domain/Stats.js"
import { Integrity } from "../domain/StoreCondition.js"
import { VERSION } from "../domain/Version.js"
import { answerTooLarge, badRequest, invalid, notFound, notJson, tooLarge, tooSlow, unavailable } from "./ApiErrors.js"
import { AssociateQuery, EventsQuery, ListQuery, StreamQuery } from "./ApiQueries.js"
import { getStats, listCalls } from "./CallsApi.js"
import { MaintenanceGroup } from "./MaintenanceApi.js"

/** Most runs of one batch. */
export const MAX_BATCH = 1000

const described = (path: string, summary: string) => OpenApi.annotations({ summary, description: path })

export const Health = Schema.Struct({
  status: Schema.Literal("ok"),
  version: Schema.String,
  db_path: Schema.String,
  journal_mode: Schema.String,
  synchronous: Schema.String,
  integrity: Integrity,
  /** How old the table of prices is that the server works with; absent when it has none. */
  prices: Schema.optional(PriceAge),
}).annotations({ identifier: "Health" })

export const Ready = Schema.Struct({ status: Schema.Literal("ready") }).annotations({ identifier: "Ready" })

export const Created = Schema.Struct({
  status: Schema.Literal("created"),
  event_id: Schema.String,
  run_id: Schema.String,
}).annotations({ identifier: "RunCreated", ...HttpApiSchema.annotations({ status: 201 }) })

export const Duplicate = Schema.Struct({
  status: Schema.Literal("duplicate"),
  event_id: Schema.String,
  run_id: Schema.String,
  message: Schema.String,
}).annotations({ identifier: "RunDuplicate" })

/** A batch of runs: bare, or in an object. */
export const BatchRequest = Schema.Union(
  Schema.Array(RunCreate).pipe(Schema.maxItems(MAX_BATCH)),
  Schema.Struct({ runs: Schema.Array(RunCreate).pipe(Schema.maxItems(MAX_BATCH)) }),
)

export const BatchReply = Schema.Struct({
  inserted: Schema.NonNegativeInt,
  duplicates: Schema.NonNegativeInt,
  errors: Schema.Array(Schema.String),
  total: Schema.NonNegativeInt,
}).annotations({ identifier: "BatchReply" })
export type BatchReply = typeof BatchReply.Type

export const PatchReply = Schema.Struct({
  event_id: Schema.String,
  updated: Schema.Boolean,
  fields_updated: Schema.Array(Schema.String),
  message: Schema.optional(Schema.String),
}).annotations({ identifier: "PatchReply" })

export const AssociateReply = Schema.Struct({
  status: Schema.Literal("success"),
  event_id: Schema.String,
  run_id: Schema.String,
  commit_hash: Schema.String,
}).annotations({ identifier: "AssociateReply" })

export const OperationsRequest = Schema.Struct({
  ops: Schema.Array(Operation).pipe(Schema.maxItems(MAX_OPERATIONS)),
  client: Schema.optional(ClientReport),
}).annotations({ identifier: "OperationsRequest" })

const html = HttpApiSchema.Text({ contentType: "text/html" })
const id = HttpApiSchema.param("id", Schema.String)

/** The server itself: how it stands, what it offers. */
export const SystemGroup = HttpApiGroup.make("system", { topLevel: true })
  .add(
    HttpApiEndpoint.get("health", "/health")
      .addSuccess(Health)
      .annotateContext(described("Answers without a token.", "Whether the server is up, and how it keeps runs")),
  )
  .add(
    HttpApiEndpoint.get("ready", "/ready")
      .addSuccess(Ready)
      .addError(unavailable)
      .annotateContext(described("Writes to the store and reads it back.", "Whether the store takes writes")),
  )
  .add(
    HttpApiEndpoint.get("home", "/")
      .addSuccess(HttpApiSchema.Empty(307))
      .annotateContext(described("Leads to the reference of this API.", "The page")),
  )
  .add(
    HttpApiEndpoint.get("docs", "/docs")
      .addSuccess(html)
      .annotateContext(described("This document as a page; it loads nothing from elsewhere.", "The reference")),
  )
  .add(
    HttpApiEndpoint.get("openapi", "/openapi.json")
      .addSuccess(Schema.Unknown)
      .annotateContext(described("OpenAPI 3.1.", "This document")),
  )
  .add(
    HttpApiEndpoint.get("metrics", "/metrics")
      .addSuccess(MetricsReply)
      .addError(unavailable)
      .annotateContext(described("Counts of rows, by agent and of the last 24 hours.", "The store at a glance")),
  )
  .add(
    HttpApiEndpoint.get("metadata", "/api/v1/metadata")
      .addSuccess(Metadata)
      .addError(unavailable)
      .annotateContext(described("Sorted and distinct; never stale after a write.", "Which names exist")),
  )

/** Runs: rows of launches, workers and calls. */
export const RunsGroup = HttpApiGroup.make("runs", { topLevel: true })
  .add(
    HttpApiEndpoint.post("createRun", "/api/v1/runs")
      .setPayload(RunCreate)
      .addError(badRequest)
      .addError(tooSlow)
      .addError(tooLarge)
      .addError(notJson)
      .addError(invalid)
      .addSuccess(Created)
      .addSuccess(Duplicate)
      .annotateContext(
        described(
          "A known event_id changes nothing and answers 200. A call by a model is a run with job_type llm_call, its model and provider in context_json and its tokens in metrics_json; the server prices it.",
          "Record a run, or a call",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.post("createRuns", "/api/v1/runs/batch")
      .setPayload(BatchRequest)
      .addError(badRequest)
      .addError(tooSlow)
      .addError(tooLarge)
      .addError(notJson)
      .addError(invalid)
      .addSuccess(BatchReply)
      .addSuccess(BatchReply.annotations(HttpApiSchema.annotations({ status: 201 })))
      .annotateContext(
        described("One bad run rejects no other. The bare array answers 200, the object 201.", "Record runs"),
      ),
  )
  .add(
    HttpApiEndpoint.patch("updateRun")`/api/v1/runs/${id}`
      .setPayload(RunPatch)
      .addError(badRequest)
      .addError(tooSlow)
      .addError(tooLarge)
      .addError(notJson)
      .addError(invalid)
      .addSuccess(PatchReply)
      .addError(notFound)
      .annotateContext(
        described(
          "By event_id. The two JSON fields are replaced whole. A terminal status never goes back to running: such an update is ignored, and the message says so.",
          "Change a run",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.get("listRuns", "/api/v1/runs")
      .setUrlParams(ListQuery)
      .addError(badRequest)
      .addError(answerTooLarge)
      .addError(invalid)
      .addSuccess(Schema.Array(RunRecord))
      .annotateContext(
        described(
          "Newest first. X-Total-Count has the number of matches, Link the next page. With run_id, parent_run_id or trace_id and no limit, all matches are sent.",
          "Find runs",
        ),
      ),
  )
  .add(listCalls)
  .add(
    HttpApiEndpoint.get("getRun")`/api/v1/runs/${id}`
      .addSuccess(RunRecord)
      .addError(notFound)
      .annotateContext(described("By event_id, else the newest row of that run_id.", "One run")),
  )
  .add(
    HttpApiEndpoint.get("getTree")`/api/v1/runs/${id}/tree`
      .addSuccess(RunTreeNode)
      .addError(notFound)
      .addError(answerTooLarge)
      .annotateContext(
        described("Tokens, cost and errors are rolled up; only calls bear cost.", "A run with what ran inside it"),
      ),
  )
  .add(
    HttpApiEndpoint.get("getEvents")`/api/v1/runs/${id}/events`
      .setUrlParams(EventsQuery)
      .addSuccess(Schema.Array(Schema.Union(ChainedEvent, Event)))
      .addError(notFound)
      .addError(invalid)
      .annotateContext(
        described(
          "By run_id, in the order in which they came and to the letter. X-Total-Count has the number of all events of the run, X-Log-Head the event_hash of the last one received, Link the next page.",
          "The events of a run as received",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.get("getCommitUrl")`/api/v1/runs/${id}/commit-url`
      .addSuccess(Schema.Struct({ commit_url: Schema.NullOr(Schema.String) }))
      .addError(notFound)
      .annotateContext(described("Null unless the repository is on a known host.", "The page of a run's commit")),
  )
  .add(
    HttpApiEndpoint.get("getRepoUrl")`/api/v1/runs/${id}/repo-url`
      .addSuccess(Schema.Struct({ repo_url: Schema.NullOr(Schema.String) }))
      .addError(notFound)
      .annotateContext(described("Null unless the repository is on a known host.", "The page of a run's repository")),
  )
  .add(
    HttpApiEndpoint.post("associateCommit")`/api/v1/runs/${id}/associate-commit`
      .setUrlParams(AssociateQuery)
      .setPayload(CommitAssociation)
      .addError(badRequest)
      .addError(tooSlow)
      .addError(tooLarge)
      .addError(notJson)
      .addError(invalid)
      .addSuccess(AssociateReply)
      .addError(notFound)
      .annotateContext(
        described(
          "By event_id. An author or a time that is absent or null keeps its value. With propagate=true also whatever the run started, all or none. X-Total-Count has the number of rows that belong to the commit by this request.",
          "Say which commit a run belongs to",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.get("getStream", "/api/v1/stream")
      .setUrlParams(StreamQuery)
      .addSuccess(HttpApiSchema.Text({ contentType: "text/event-stream" }))
      .addError(badRequest)
      .annotateContext(
        described(
          "Server-Sent Events. Each event `run` has a row as GET gives it, after its newest change; a row that changes often may skip what lies between. With Last-Event-ID nothing is missed after it, also over a restart of the server; without it the stream begins now. An event `reset` says that the id is not of this store: read the list again. Rows that are removed are not told.",
          "Changes as they happen",
        ),
      ),
  )
  .add(
    HttpApiEndpoint.post("applyOperations", "/api/v1/ops")
      .setPayload(OperationsRequest)
      .addError(badRequest)
      .addError(tooSlow)
      .addError(tooLarge)
      .addError(notJson)
      .addError(invalid)
      .addSuccess(OperationsReply)
      .annotateContext(
        described(
          "In order and idempotent; durable when it answers. An update that arrives before its create waits for it. One bad operation never harms its neighbours. With the header Prefer: return=minimal the answer has how many operations there were, and only the results that are not created, updated or stored.",
          "Apply operations",
        ),
      ),
  )
  .add(getStats)
  .addError(unavailable)

/** What the outside sees. Every error is `{"detail": …}`. */
export const Api = HttpApi.make("runledger")
  .add(SystemGroup)
  .add(RunsGroup)
  .add(MaintenanceGroup)
  .annotateContext(
    OpenApi.annotations({
      title: "Runledger",
      version: VERSION,
      description:
        'Runs, workers and calls of LLM pipelines. Errors are {"detail": "…"}; a request of the wrong shape is 422 with a list of {loc, msg, type}. Timestamps need a zone and come back in UTC.',
    }),
  )
