import type { ClientReport, OperationWire } from "../src/domain/Operation.js"
import { MAX_OPERATION_BYTES, MAX_OPERATIONS } from "../src/domain/Operation.js"

/** An operation as it goes over the wire, and which event of its window it stands for. */
export interface Encoded {
  readonly op: OperationWire["op"]
  readonly eventId: string
  readonly json: string
  readonly bytes: number
  readonly event: number
}

/** Room for the client's report and the punctuation of the body. */
const ENVELOPE_BYTES = 2048

export const encode = (operation: OperationWire, event: number): Encoded => {
  const json = JSON.stringify(operation)
  return { op: operation.op, eventId: operation.event_id, json, bytes: Buffer.byteLength(json), event }
}

/**
 * How many operations from the start fit into one request: 1000 at most, and 4 MiB measured on the encoded body. A single
 * operation above the limit goes alone, for the server to judge.
 */
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
