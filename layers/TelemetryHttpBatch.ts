import * as Either from "effect/Either"
import * as Coalesce from "../src/domain/Coalesce.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import type { ClientReport, OperationWire } from "../src/domain/Operation.js"
import { MAX_OPERATION_BYTES, MAX_OPERATIONS } from "../src/domain/Operation.js"

/** An operation of a window, and which of the window's events it stands for. */
export interface Placed extends Coalesce.Carrier {
  readonly event: number
  /** For the operation of an event: its line in the log, which is JSON already. */
  readonly text?: string | undefined
}

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

const sealed = (operation: OperationWire, json: string, event: number): Encoded => ({
  op: operation.op,
  eventId: operation.event_id,
  json,
  bytes: Buffer.byteLength(json),
  event,
})

const jsonOf = ({ operation, text }: Placed): string =>
  text === undefined
    ? JSON.stringify(operation)
    : `{"op":"event","event_id":${JSON.stringify(operation.event_id)},"event":${text}}`

const named = ({ operation }: Placed): string =>
  operation.op === "event" ? operation.event.type : `its ${operation.op}`

/** One operation as it is. */
export const encode = (placed: Placed): Either.Either<Encoded, Unencodable> =>
  Either.try({
    try: () => sealed(placed.operation, jsonOf(placed), placed.event),
    catch: (error): Unencodable => ({
      op: placed.operation.op,
      eventId: placed.operation.event_id,
      event: placed.event,
      why: `${named(placed)} cannot be written as JSON: ${ErrorText.line(error)}`,
    }),
  })

/** The operations of a window with those of one row taken together; one that is no JSON never takes another with it. */
export const encodeAll = (window: ReadonlyArray<Placed>): ReadonlyArray<Either.Either<Encoded, Unencodable>> =>
  Coalesce.coalesce(window).flatMap(({ operation, origin, updates }) => {
    if (updates.length === 0) return [encode(origin)]
    const together = encode({ operation, event: origin.event })
    return Either.isLeft(together)
      ? [origin, ...updates].map(encode)
      : [Either.right({ ...together.right, plain: { create: origin, updates } })]
  })

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

/** The body of a request. */
export const body = (operations: ReadonlyArray<Encoded>, client: ClientReport): string =>
  `{"client":${JSON.stringify(client)},"ops":[${operations.map(({ json }) => json).join(",")}]}`
