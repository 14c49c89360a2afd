import * as Arr from "effect/Array"
import * as Either from "effect/Either"
import type { LogLine, LogMisfit } from "../services/EventLog.js"
import type { CallRow } from "../src/domain/CallRow.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import type { Event } from "../src/domain/Event.js"
import type * as Project from "../src/domain/Project.js"
import * as Lines from "./LogLine.js"
import * as Batch from "./TelemetryHttpBatch.js"
import * as Sheet from "./TelemetryHttpSheet.js"

/** What a stretch of events is to the server. */
export interface Contents {
  /** How many, lines that are none included. Their operations bear numbers that count on from stretch to stretch. */
  readonly events: number
  readonly operations: ReadonlyArray<Batch.Encoded>
  /** What cannot be sent: at most one operation of an event, and every line that is no event. */
  readonly unencodable: ReadonlyArray<Batch.Unencodable>
}

/** One of an event is enough to know that something of it is missing. */
const oncePerEvent = (unencodable: ReadonlyArray<Batch.Unencodable>): ReadonlyArray<Batch.Unencodable> =>
  unencodable.filter(({ event }, index) => index === unencodable.findIndex((other) => other.event === event))

const projected = (
  projection: Project.Projection,
  event: Event,
  number: number,
  text: string | undefined,
): Either.Either<ReadonlyArray<Batch.Placed>, Batch.Unencodable> =>
  Either.try({
    try: () =>
      projection.step(event).map(
        (operation): Batch.Placed => ({
          operation,
          event: number,
          text: operation.op === "event" ? text : undefined,
        }),
      ),
    catch: (error) => ({
      op: "event",
      eventId: event.event_id,
      event: number,
      why: `${event.type} is no event: ${ErrorText.line(error)}`,
    }),
  })

/** An event, and its line where there is one. */
export type Recorded = LogLine | { readonly event: Event; readonly text?: string | undefined }

/** What a line was recognised as needs no event, unless the projection asks for it. */
const placed = (
  projection: Project.Projection,
  recorded: Recorded,
  number: number,
): Either.Either<ReadonlyArray<Batch.Placed>, Batch.Unencodable> => {
  if ("event" in recorded) return projected(projection, recorded.event, number, recorded.text)
  const { call: line, text } = recorded
  const call = projection.stepCall(line)
  if (call === undefined) return projected(projection, Lines.eventOf(recorded), number, text)
  const own: Batch.Placed = { line: text, eventId: line.eventId, event: number }
  return Either.right(call === "nothing" ? [own] : [own, { call, event: number }])
}

/** The operations of a recognised line as those of any event. */
const general = (
  projection: Project.Projection,
  line: Sheet.Recognised,
  number: number,
): ReadonlyArray<Either.Either<Batch.Encoded, Batch.Unencodable>> => {
  const operations = projected(projection, Lines.eventOf(line), number, line.text)
  return Either.isLeft(operations) ? [Either.left(operations.left)] : operations.right.map(Batch.encode)
}

/** A line that is no event is an operation that cannot be sent; one without an id is known by its number. */
const unsent = ({ line, eventId, problem }: LogMisfit, number: number): Batch.Unencodable => ({
  op: "event",
  eventId: eventId ?? `line-${line}`,
  event: number,
  why: `line ${line} ${problem}`,
})

/** What the server has is folded, not sent. */
export const follow = (projection: Project.Projection, recorded: Recorded): void => {
  if ("event" in recorded) projection.step(recorded.event)
  else if (projection.stepCall(recorded.call) === undefined) projection.step(Lines.eventOf(recorded))
}

const isRecognised = (recorded: Recorded): recorded is Sheet.Recognised => "call" in recorded

/** Whether the lines are those of calls, no two of which say that they open the same row. */
const areCalls = (lines: ReadonlyArray<Recorded>): lines is ReadonlyArray<Sheet.Recognised> => {
  const opened = new Set<string>()
  let calls = 0
  for (const line of lines) {
    if (!isRecognised(line)) return false
    if (line.call.type !== "LLM_CALL_STARTED") continue
    opened.add(line.call.eventId)
    calls += 1
  }
  return opened.size === calls
}

/** What a row's operations take besides the two lines of its call, about. */
const ROW_SHARE = 0.8

/** {@link encoded} for calls alone, in one pass. */
const encodedCalls = (
  projection: Project.Projection,
  lines: ReadonlyArray<Sheet.Recognised>,
  first: number,
): Contents => {
  const sheet = Sheet.make(Math.ceil(lines.reduce((sum, { text }) => sum + text.length, 0) * (1 + ROW_SHARE)))
  const operations: Array<Batch.Encoded> = []
  const unencodable: Array<Batch.Unencodable> = []
  const open = new Map<CallRow, { readonly place: number; readonly opening: Sheet.Written }>()
  lines.forEach((line, index) => {
    const number = first + index
    const call = projection.stepCall(line.call)
    if (call === undefined) {
      const apart = Batch.separate(general(projection, line, number))
      operations.push(...apart.operations)
      unencodable.push(...apart.unencodable)
      return
    }
    const written = sheet.event(line, number)
    operations.push(written)
    if (call === "nothing") return
    const opened = open.get(call.row)
    if (call.op === "create") {
      // Its place is kept for it: what it says may yet have an ending.
      open.set(call.row, { place: operations.length, opening: written })
      operations.push(written)
    } else if (opened === undefined) operations.push(sheet.row(call, number))
    else {
      operations[opened.place] = sheet.together(call, opened.opening, written)
      open.delete(call.row)
    }
  })
  for (const [row, { opening, place }] of open) operations[place] = sheet.row({ op: "create", row }, opening.event)
  return { events: lines.length, operations, unencodable: oncePerEvent(unencodable) }
}

/** The operations of events that follow `first` others, those of one row taken together. */
export const encoded = (
  projection: Project.Projection,
  lines: ReadonlyArray<Recorded>,
  first: number,
  misfits: ReadonlyArray<LogMisfit> = [],
): Contents => {
  if (misfits.length === 0 && areCalls(lines)) return encodedCalls(projection, lines, first)
  const steps = lines.map((line, index) => placed(projection, line, first + index))
  const [odd, fit] = Arr.separate(steps)
  const { operations, unencodable } = Batch.separate(Batch.encodeAll(fit.flat()))
  const unsendable = misfits.map((misfit, index) => unsent(misfit, first + lines.length + index))
  return {
    events: lines.length + misfits.length,
    operations,
    unencodable: [...oncePerEvent([...odd, ...unencodable]), ...unsendable],
  }
}
