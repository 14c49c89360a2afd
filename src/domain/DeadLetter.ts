import * as Schema from "effect/Schema"
import { OperationResult } from "./Operation.js"

/** An operation that the server refused for good, as a line of `telemetry.dead-letters.ndjson` keeps it. */
export const DeadLetter = Schema.Struct({
  /** When it was set aside. */
  at: Schema.String,
  run_id: Schema.String,
  op: OperationResult.fields.op,
  event_id: Schema.String,
  /** The HTTP status of the refusal; null when the operation was refused by itself, or could not be written as JSON. */
  status: Schema.NullOr(Schema.Int),
  reason: Schema.String,
  /** The operation as it was sent; null when it could not be written as JSON. */
  operation: Schema.Unknown,
}).annotations({ identifier: "DeadLetter" })
export type DeadLetter = typeof DeadLetter.Type

/** What makes two letters the same: one operation, refused twice. */
export const identity = ({ run_id, op, event_id }: DeadLetter): string => JSON.stringify([run_id, op, event_id])
