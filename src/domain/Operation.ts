import * as Schema from "effect/Schema"
import { ChainedEvent, Event } from "./Event.js"
import { EventId } from "./Ids.js"
import { RunCreate, RunPatch } from "./Run.js"

/** Make a row. Its event_id is that of the row's opening event. */
export const CreateOperation = Schema.extend(Schema.Struct({ op: Schema.Literal("create") }), RunCreate)

/**
 * Change the row that `event_id` opened. `reopen` lets a resumed run go back to running; `inferred` marks an ending that
 * nobody reported (a time-out, a dead process) and that yields to the client's own.
 */
export const UpdateOperation = Schema.extend(
  Schema.Struct({
    op: Schema.Literal("update"),
    event_id: EventId,
    reopen: Schema.optionalWith(Schema.Boolean, { default: () => false }),
    inferred: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  }),
  RunPatch,
)

/** Keep an event as it was received. */
export const EventOperation = Schema.Struct({
  op: Schema.Literal("event"),
  event_id: EventId,
  event: Schema.Union(ChainedEvent, Event),
})

/** One change that the server is told of (`POST /api/v1/ops`). */
export const Operation = Schema.Union(CreateOperation, UpdateOperation, EventOperation)
export type Operation = typeof Operation.Type
export type OperationWire = typeof Operation.Encoded

/** What became of one operation. `pending` is an update that waits for its create; `ignored` says why in `detail`. */
export const OperationResult = Schema.Struct({
  op: Schema.Literal("create", "update", "event", "unknown"),
  event_id: Schema.NullOr(Schema.String),
  status: Schema.Literal("created", "updated", "stored", "duplicate", "pending", "ignored", "error"),
  detail: Schema.optional(Schema.String),
})
export type OperationResult = typeof OperationResult.Type

/** Done as asked, with nothing to be said about it. */
export const isPlain = ({ status }: OperationResult): boolean =>
  status === "created" || status === "updated" || status === "stored"

/** What a client says of itself with every batch. */
export const ClientReport = Schema.Struct({
  backlog: Schema.optional(Schema.NonNegativeInt),
  dropped: Schema.optional(Schema.NonNegativeInt),
  dead_letters: Schema.optional(Schema.NonNegativeInt),
  log_head: Schema.optional(Schema.NullOr(Schema.String)),
  run_id: Schema.optional(Schema.NullOr(Schema.String)),
})
export type ClientReport = typeof ClientReport.Type

/** The preference (RFC 7240) for hearing only of operations that are not plainly done. */
export const MINIMAL = "return=minimal"

const FullReply = Schema.Struct({ results: Schema.Array(OperationResult) })

/** What is answered to who prefers {@link MINIMAL}. */
export const MinimalReply = Schema.Struct({
  /** How many there were. */
  operations: Schema.NonNegativeInt,
  /** Of those that were neither created, updated nor stored; `index` is the operation's place in the request, from 0. */
  results: Schema.Array(Schema.extend(Schema.Struct({ index: Schema.NonNegativeInt }), OperationResult)),
})
export type MinimalReply = typeof MinimalReply.Type

/** The answer to `POST /api/v1/ops`: one result an operation, in their order; or less, for who prefers {@link MINIMAL}. */
export const OperationsReply = Schema.Union(MinimalReply, FullReply).annotations({
  identifier: "OperationsReply",
})
export type OperationsReply = typeof OperationsReply.Type

/** Most operations and bytes of one request. */
export const MAX_OPERATIONS = 1000
export const MAX_OPERATION_BYTES = 4 * 1024 * 1024
