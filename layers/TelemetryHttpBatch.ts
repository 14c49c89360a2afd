import * as Either from "effect/Either"
import * as CallRow from "../src/domain/CallRow.js"
import * as Coalesce from "../src/domain/Coalesce.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import type { ClientReport, OperationWire } from "../src/domain/Operation.js"
import { MAX_OPERATION_BYTES, MAX_OPERATIONS } from "../src/domain/Operation.js"

/** Which of the window's events something stands for. */
interface OfEvent {
  readonly event: number
}

/** An operation as it was projected. */
interface PlacedOperation extends OfEvent, Coalesce.Carrier {
  /** For the operation of an event: its line in the log, which is JSON already. */
  readonly text?: string | undefined
}

/** An event of which the line was recognised. `eventId` is JSON. */
interface PlacedLine extends OfEvent {
  readonly line: string
  readonly eventId: string
}

/** An operation that a recognised line stands for. */
interface PlacedCall extends OfEvent {
  readonly call: CallRow.CallOperation
}

/** An operation of a window. */
export type Placed = PlacedOperation | PlacedLine | PlacedCall

/** An operation as it goes over the wire. */
export interface Encoded {
  readonly op: OperationWire["op"]
  readonly eventId: string
  readonly json: string
  readonly bytes: number
  /** The event of its window that it stands for. */
  readonly event: number
  /** For a create that took updates in: all of them as they were. */
  readonly plain?: { readonly create: Placed; readonly updates: ReadonlyArray<Placed> } | undefined
  /** Puts its JSON into a buffer; where it stands in bytes already. */
  readonly copy?: (target: Buffer, at: number) => void
}

/** An operation that cannot be written as JSON. */
export interface Unencodable {
  readonly op: OperationWire["op"]
  readonly eventId: string
  readonly event: number
  /** Names it, and says what is wrong. */
  readonly why: string
}

/** Room for the client's report and the punctuation of the body. */
const ENVELOPE_BYTES = 2048

/** The largest operation that fits into a request of its own. */
export const MAX_SINGLE_BYTES = MAX_OPERATION_BYTES - ENVELOPE_BYTES - 1

const sealed = (op: Encoded["op"], eventId: string, json: string, event: number): Encoded => ({
  op,
  eventId,
  json,
  bytes: Buffer.byteLength(json),
  event,
})

const eventText = (eventId: string, line: string): string => `{"op":"event","event_id":${eventId},"event":${line}}`

/** An id in JSON that is known to have no escapes. */
const bare = (eventId: string): string => eventId.slice(1, -1)

const jsonOf = ({ operation, text }: PlacedOperation): string =>
  text === undefined ? JSON.stringify(operation) : eventText(JSON.stringify(operation.event_id), text)

const named = ({ operation }: PlacedOperation): string =>
  operation.op === "event" ? operation.event.type : `its ${operation.op}`

const encodeLine = ({ event, eventId, line }: PlacedLine): Encoded =>
  sealed("event", bare(eventId), eventText(eventId, line), event)

const encodeCall = ({ call, event }: PlacedCall): Encoded =>
  sealed(call.op, bare(call.row.eventId), CallRow.textOf(call), event)

/** One operation as it is. */
export const encode = (placed: Placed): Either.Either<Encoded, Unencodable> => {
  if ("line" in placed) return Either.right(encodeLine(placed))
  if ("call" in placed) return Either.right(encodeCall(placed))
  const { operation } = placed
  return Either.try({
    try: () => sealed(operation.op, operation.event_id, jsonOf(placed), placed.event),
    catch: (error): Unencodable => ({
      op: operation.op,
      eventId: operation.event_id,
      event: placed.event,
      why: `${named(placed)} cannot be written as JSON: ${ErrorText.line(error)}`,
    }),
  })
}

/** What recognised lines do to one row in a window. */
type OfRow =
  | { readonly create: PlacedCall; readonly update: PlacedCall | undefined }
  | { readonly create: undefined; readonly update: PlacedCall }

const next = (before: OfRow | undefined, placed: PlacedCall): OfRow | undefined => {
  const isCreate = placed.call.op === "create"
  if (before === undefined)
    return isCreate ? { create: placed, update: undefined } : { create: undefined, update: placed }
  if (isCreate || before.create === undefined || before.update !== undefined) return undefined
  return { create: before.create, update: placed }
}

/** The rows of which a window holds a recognised create, a recognised update, or one behind the other, and nothing else. */
const simpleRows = (window: ReadonlyArray<Placed>): ReadonlyMap<string, OfRow> => {
  const rows = new Map<string, OfRow>()
  const others = new Set<string>()
  for (const placed of window) {
    if ("line" in placed || ("operation" in placed && placed.operation.op === "event")) continue
    const id = "call" in placed ? bare(placed.call.row.eventId) : placed.operation.event_id
    const row = "call" in placed && !others.has(id) ? next(rows.get(id), placed) : undefined
    if (row !== undefined) {
      rows.set(id, row)
      continue
    }
    rows.delete(id)
    others.add(id)
  }
  return rows
}

/** The one operation of a simple row, in the place of its first. */
const encodeRow = ({ create, update }: OfRow, placed: PlacedCall): ReadonlyArray<Encoded> => {
  if (create === undefined || update === undefined || update.call.op !== "update") return [encodeCall(placed)]
  if (placed !== create) return []
  const json = CallRow.togetherOf(update.call)
  return [
    { ...sealed("create", bare(create.call.row.eventId), json, create.event), plain: { create, updates: [update] } },
  ]
}

const encodeCoalesced = ({
  operation,
  origin,
  updates,
}: Coalesce.Coalesced<PlacedOperation>): ReadonlyArray<Either.Either<Encoded, Unencodable>> => {
  if (updates.length === 0) return [encode(origin)]
  const together = encode({ operation, event: origin.event })
  return Either.isLeft(together)
    ? [origin, ...updates].map(encode)
    : [Either.right({ ...together.right, plain: { create: origin, updates } })]
}
const decoded = ({ call, event }: PlacedCall): PlacedOperation => ({
  event,
  operation: JSON.parse(CallRow.textOf(call)),
})

/** The operations of a window with those of one row taken together; one that is no JSON never takes another with it. */
export const encodeAll = (window: ReadonlyArray<Placed>): ReadonlyArray<Either.Either<Encoded, Unencodable>> => {
  const rows = simpleRows(window)
  const rowOf = (placed: Placed) => ("call" in placed ? rows.get(bare(placed.call.row.eventId)) : undefined)
  const general = new Map<Placed, PlacedOperation>()
  for (const placed of window) {
    if ("call" in placed) {
      if (rowOf(placed) === undefined) general.set(placed, decoded(placed))
    } else if ("operation" in placed) general.set(placed, placed)
  }
  const coalesced = new Map(Coalesce.coalesce([...general.values()]).map((one) => [one.origin, one]))
  return window.flatMap((placed): ReadonlyArray<Either.Either<Encoded, Unencodable>> => {
    if ("line" in placed) return [Either.right(encodeLine(placed))]
    const row = rowOf(placed)
    if ("call" in placed && row !== undefined) return encodeRow(row, placed).map(Either.right)
    const origin = general.get(placed)
    const one = origin === undefined ? undefined : coalesced.get(origin)
    return one === undefined ? [] : encodeCoalesced(one)
  })
}

/** What encoding gave: operations to send, and what cannot be sent. */
export const separate = (
  encoded: ReadonlyArray<Either.Either<Encoded, Unencodable>>,
): { readonly operations: ReadonlyArray<Encoded>; readonly unencodable: ReadonlyArray<Unencodable> } => ({
  operations: encoded.flatMap((one) => (Either.isRight(one) ? [one.right] : [])),
  unencodable: encoded.flatMap((one) => (Either.isLeft(one) ? [one.left] : [])),
})

/** How many operations from the start fit into one request: 1000 at most, and 4 MiB measured on the encoded body. */
export const fitting = (operations: ReadonlyArray<Encoded>): number => {
  let bytes = ENVELOPE_BYTES
  let count = 0
  for (const operation of operations) {
    bytes += operation.bytes + 1
    if (count === MAX_OPERATIONS || (count > 0 && bytes > MAX_OPERATION_BYTES)) return count
    count += 1
  }
  return count
}

const COMMA = 0x2c
const END = Buffer.from("]}")

/** The body of a request, in UTF-8. */
export const body = (operations: ReadonlyArray<Encoded>, client: ClientReport): Uint8Array => {
  const start = Buffer.from(`{"client":${JSON.stringify(client)},"ops":[`)
  const between = Math.max(0, operations.length - 1)
  const length = operations.reduce((sum, { bytes }) => sum + bytes, start.length + between + END.length)
  const whole = Buffer.allocUnsafe(length)
  start.copy(whole)
  let at = start.length
  operations.forEach((operation, index) => {
    if (index > 0) whole[at++] = COMMA
    if (operation.copy === undefined) whole.write(operation.json, at, "utf8")
    else operation.copy(whole, at)
    at += operation.bytes
  })
  END.copy(whole, at)
  return whole
}
