import * as Schema from "effect/Schema"
import { StoreSize } from "./Pruning.js"

/** SQLite's quick check after an unclean stop: not needed, still going, or what it found. */
export const QuickCheck = Schema.Literal("not needed", "running", "ok", "damaged", "failed")
export type QuickCheck = typeof QuickCheck.Type

/**
 * Whether a database is whole, as far as is known: `ok` when it was closed cleanly before, or was checked since and holds;
 * `unchecked` when it was not closed cleanly and could not be checked.
 */
export const Integrity = Schema.Literal("ok", "checking", "damaged", "unchecked").annotations({
  identifier: "Integrity",
})
export type Integrity = typeof Integrity.Type

/** How a store stands. */
export const StoreCondition = Schema.Struct({
  /** How the process before this one left the database; `new` when there was none. */
  last_stop: Schema.Literal("new", "clean", "unclean"),
  quick_check: QuickCheck,
  /** What the check found, at most 20 lines. */
  problems: Schema.Array(Schema.String),
  /** The disk is full: reads go on, writes are refused until there is room. */
  disk_full: Schema.Boolean,
  /** Bytes put by for a full disk; 0 when they are not there. */
  ballast_bytes: Schema.NonNegativeInt,
  size: StoreSize,
}).annotations({ identifier: "StoreCondition" })
export type StoreCondition = typeof StoreCondition.Type
