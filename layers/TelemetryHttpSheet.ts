import type { LogLine } from "../services/EventLog.js"
import * as CallLine from "../src/domain/CallLine.js"
import * as CallRow from "../src/domain/CallRow.js"
import type { OperationWire } from "../src/domain/Operation.js"
import type * as Batch from "./TelemetryHttpBatch.js"

/** A line of the log that was recognised as a call's. */
export type Recognised = Extract<LogLine, { readonly call: unknown }>

/**
 * The JSON of many operations in one buffer. What waits for the server's answer lives for long by the measure of a garbage
 * collector, which would copy every text of it once or twice: here it has nothing to copy.
 */
export interface Sheet {
  /** The operation of an event whose line was recognised. */
  readonly event: (line: Recognised, event: number) => Written
  /** The operation of a row, alone. */
  readonly row: (operation: CallRow.CallOperation, event: number) => Written
  /** The create of a row that has taken in its only update. `opening` and `closing` are the events of both, on this sheet. */
  readonly together: (update: Update, opening: Written, closing: Written) => Written
}

type Update = Extract<CallRow.CallOperation, { readonly op: "update" }>

/** An operation that stands on a sheet. */
export interface Written extends Batch.Encoded {
  /** Puts its JSON into a buffer, `bytes` of it. */
  readonly copy: (target: Buffer, at: number) => void
}

/** Behind this, in quotation marks, stands its id, which has no escapes: otherwise its line would not have been recognised. */
const headOf = (op: OperationWire["op"]): string => `{"op":"${op}","event_id":"`

/** The most bytes that a UTF-16 code unit takes. */
const MOST_BYTES = 3

interface Taken {
  readonly opening: Written
  readonly closing: Written
  readonly inherited: string
}

const lineOf = ({ eventId, json }: Written): CallLine.CallLine | undefined =>
  CallLine.read(json.slice(`${headOf("event")}${eventId}","event":`.length, -1))

const plainOf = ({ closing, inherited, opening }: Taken): Batch.Encoded["plain"] => {
  const first = lineOf(opening)
  const last = lineOf(closing)
  if (first?.type !== "LLM_CALL_STARTED" || last?.type !== "LLM_CALL_FINISHED") return undefined
  const row = CallRow.opened(first, inherited)
  return {
    create: { call: { op: "create", row }, event: opening.event },
    updates: [{ call: CallRow.closed(row, last), event: closing.event }],
  }
}

/** A sheet with room for about so many bytes; it takes more when it has to. */
export const make = (room: number): Sheet => {
  let bytes = Buffer.allocUnsafeSlow(Math.max(1024, room))
  let end = 0

  class OnSheet implements Written {
    readonly op: OperationWire["op"]
    readonly event: number
    readonly bytes: number
    private readonly start: number
    private readonly taken: Taken | undefined
    constructor(op: OperationWire["op"], event: number, start: number, taken: Taken | undefined) {
      this.op = op
      this.event = event
      this.start = start
      this.taken = taken
      this.bytes = end - start
    }
    get json(): string {
      return bytes.toString("utf8", this.start, this.start + this.bytes)
    }
    get eventId(): string {
      const first = this.start + headOf(this.op).length
      return bytes.toString("utf8", first, bytes.indexOf('"', first))
    }
    get plain(): Batch.Encoded["plain"] {
      return this.taken === undefined ? undefined : plainOf(this.taken)
    }
    copy(target: Buffer, at: number): void {
      bytes.copy(target, at, this.start, this.start + this.bytes)
    }
  }

  const write = (text: string): void => {
    const most = text.length * MOST_BYTES
    if (end + most > bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end + most, bytes.length * 2))
      bytes.copy(larger, 0, 0, end)
      bytes = larger
    }
    end += bytes.write(text, end, "utf8")
  }

  return {
    event: ({ call, text }, event) => {
      const start = end
      write(`{"op":"event","event_id":${call.eventId},"event":`)
      write(text)
      write("}")
      return new OnSheet("event", event, start, undefined)
    },
    row: (operation, event) => {
      const start = end
      write(CallRow.textOf(operation))
      return new OnSheet(operation.op, event, start, undefined)
    },
    together: (update, opening, closing) => {
      const start = end
      write(CallRow.togetherOf(update))
      const { inherited } = update.row
      return new OnSheet("create", opening.event, start, { opening, closing, inherited })
    },
  }
}
