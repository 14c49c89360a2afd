import * as Option from "effect/Option"
import type { OperationWire } from "./Operation.js"
import { PATCH_FIELDS } from "./Run.js"
import { refusal } from "./RunUpdate.js"
import { parse, type Status } from "./Status.js"

type Create = Extract<OperationWire, { readonly op: "create" }>
type Update = Extract<OperationWire, { readonly op: "update" }>

/** Something that stands for an operation. */
export interface Carrier {
  readonly operation: OperationWire
}

/** What is sent for one operation, or for a create and the updates that were taken into it. */
export interface Coalesced<A extends Carrier> {
  readonly operation: OperationWire
  /** Where it came from: the operation itself, or the create as it was. */
  readonly origin: A
  /** The updates that are already in `operation`, in order; to be sent after it when its row turns out to exist. */
  readonly updates: ReadonlyArray<A>
}

interface Row<A> {
  readonly create: A
  readonly updates: Array<A>
  merged: Create
}

const FIELDS: ReadonlySet<string> = new Set(PATCH_FIELDS)

const statusOf = (word: string | null | undefined): Status | undefined =>
  Option.getOrUndefined(parse(word ?? "running"))

/** An update that a row with this create is sure to take, and that leaves nothing behind but its fields. */
const isMergeable = (merged: Create, update: Update): boolean => {
  if (update.reopen === true || update.inferred === true) return false
  const before = statusOf(merged.status)
  const after = statusOf(update.status ?? merged.status)
  if (before === undefined || after === undefined) return false
  const intent = { status: update.status === undefined ? undefined : after, reopen: false, inferred: false }
  return refusal({ status: before, inferred: false }, intent) === null
}

const merge = (create: Create, update: Update): Create => {
  const fields: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(update)) {
    if (value !== undefined && FIELDS.has(field)) fields[field] = value
  }
  return Object.assign({}, create, fields)
}

/** The rows of which every update can go into the create. A single one that cannot keeps them all apart, in their order. */
const mergedRows = <A extends Carrier>(carriers: ReadonlyArray<A>): ReadonlyMap<string, Row<A>> => {
  const rows = new Map<string, Row<A>>()
  const apart = new Set<string>()
  for (const carrier of carriers) {
    const { operation } = carrier
    const id = operation.event_id
    if (operation.op === "event" || apart.has(id)) continue
    const row = rows.get(id)
    if (operation.op === "create") {
      if (row === undefined) rows.set(id, { create: carrier, updates: [], merged: operation })
    } else if (row !== undefined && isMergeable(row.merged, operation)) {
      row.updates.push(carrier)
      row.merged = merge(row.merged, operation)
    } else {
      rows.delete(id)
      apart.add(id)
    }
  }
  return rows
}

/**
 * Fewer operations that make the same rows: a create and the updates of its row become one create that already has their
 * fields. Everything else stays as it is and where it is: events, updates whose create is not here, and the operations of a
 * row that is reopened, whose ending was inferred, or that would refuse one of its updates.
 */
export const coalesce = <A extends Carrier>(carriers: ReadonlyArray<A>): ReadonlyArray<Coalesced<A>> => {
  const rows = mergedRows(carriers)
  return carriers.flatMap((origin): ReadonlyArray<Coalesced<A>> => {
    const { operation } = origin
    const row = operation.op === "event" ? undefined : rows.get(operation.event_id)
    if (row === undefined || (operation.op === "create" && row.create !== origin)) {
      return [{ operation, origin, updates: [] }]
    }
    return row.create === origin ? [{ operation: row.merged, origin, updates: row.updates }] : []
  })
}
