import * as Schema from "effect/Schema"
import { GroupBy } from "../domain/Stats.js"
import { Status } from "../domain/Status.js"

/** Most runs of one page, and how many there are when nobody says. */
export const MAX_LIMIT = 1000
export const DEFAULT_LIMIT = 100

const text = (description: string) => Schema.optional(Schema.String.annotations({ description }))
const timestamp = (description: string) =>
  Schema.optional(Schema.String.annotations({ jsonSchema: { type: "string", format: "date-time", description } }))
const whole = (description: string, bounds: { readonly minimum: number; readonly maximum?: number }) =>
  Schema.optional(Schema.String.annotations({ jsonSchema: { type: "integer", ...bounds, description } }))

const filters = {
  run_id: text("Exactly this run_id"),
  parent_run_id: text("Runs that this run started"),
  trace_id: text("Runs of this trace"),
  agent_name: text("Exactly this agent"),
  job_type: text("launch, worker, llm_call, or a client's own"),
  status: text(`One of ${Status.literals.join(", ")}, or an alias`),
  product: text("Exactly this product"),
  model: text("Exactly this model"),
  created_after: timestamp("Received after this instant"),
  created_before: timestamp("Received before this instant"),
  start_time_from: timestamp("Started at or after this instant"),
  start_time_to: timestamp("Started at or before this instant"),
}

/** The filters of runs as they stand in a query. */
export const FilterQuery = Schema.Struct(filters)

/** The query of `GET /api/v1/runs`. */
export const ListQuery = Schema.Struct({
  ...filters,
  limit: whole("Most rows of the answer; with run_id, parent_run_id or trace_id and no limit all are sent", {
    minimum: 1,
    maximum: MAX_LIMIT,
  }),
  offset: whole("Rows to leave out", { minimum: 0 }),
  cursor: text("Where the page before ended; take it from the Link header"),
})
export type ListQuery = typeof ListQuery.Type

const { job_type: _job, ...callFilters } = filters

/** The query of `GET /api/v1/calls`. */
export const CallsQuery = Schema.Struct({
  ...callFilters,
  under: text("Only calls of this run_id and of all that it started, directly or not"),
})
export type CallsQuery = typeof CallsQuery.Type

/** The query of `GET /api/v1/runs/{id}/events`. */
export const EventsQuery = Schema.Struct({
  after: text("The event_id of the last event already seen; those received after it follow"),
  limit: whole(`Most events of the answer, ${DEFAULT_LIMIT} when absent; large ones end a page early`, {
    minimum: 1,
    maximum: MAX_LIMIT,
  }),
})
export type EventsQuery = typeof EventsQuery.Type

/** The query of `GET /api/v1/stream`. */
export const StreamQuery = Schema.Struct({
  ...filters,
  last_event_id: text("As the header Last-Event-ID, for clients that cannot set it: changes after this one follow"),
})
export type StreamQuery = typeof StreamQuery.Type

/** The query of `POST /api/v1/runs/{event_id}/associate-commit`. */
export const AssociateQuery = Schema.Struct({
  propagate: Schema.optional(
    Schema.String.annotations({
      jsonSchema: { type: "boolean", description: "Also whatever the run started, directly or not; false when absent" },
    }),
  ),
})
export type AssociateQuery = typeof AssociateQuery.Type

/** The query of `GET /api/v1/stats`. */
export const StatsQuery = Schema.Struct({
  ...filters,
  group_by: Schema.optional(Schema.String.annotations({ jsonSchema: { type: "string", enum: [...GroupBy.literals] } })),
})
export type StatsQuery = typeof StatsQuery.Type
