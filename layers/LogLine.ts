import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { LogLine as Line, LogMisfit, LogPosition, LogSlice } from "../services/EventLog.js"
import * as CallLine from "../src/domain/CallLine.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent } from "../src/domain/Event.js"
import * as JsonText from "../src/domain/JsonText.js"

/** What lines of a log hold. */
export interface Contents {
  readonly lines: ReadonlyArray<Line>
  readonly misfits: ReadonlyArray<LogMisfit>
  /** The hash that the last line claims that claims one at all, whatever else it holds. */
  readonly hash: string
}

const ID_LIMIT = 128
const isNamed = Schema.is(
  Schema.Struct({ event_id: Schema.String.pipe(Schema.pattern(/^[!-~]+$/), Schema.maxLength(ID_LIMIT)) }),
)

const claimedId = (text: string): string | null => {
  const record = Either.getOrUndefined(JsonText.parseText(text))
  return isNamed(record) ? record.event_id : null
}

/** The event that a line holds, recognised or decoded; otherwise what is wrong with it. */
export const read = (text: string): Either.Either<Line, string> => {
  const call = CallLine.read(text)
  return call === undefined ? Either.map(Chain.parse(text), (event) => ({ text, event })) : Either.right({ text, call })
}

/** The hash of a line's event. */
const hashOf = (line: Line): string => ("call" in line ? line.call.eventHash : line.event.event_hash)

/** The event of a line: what is recognised is one for certain. */
export const eventOf = (line: Line): ChainedEvent =>
  "call" in line ? Either.getOrThrowWith(Chain.parse(line.text), (problem) => new Error(problem)) : line.event

/** A slice of a log. Recognised lines are decoded when somebody asks for the events. */
export const slice = (lines: ReadonlyArray<Line>, misfits: ReadonlyArray<LogMisfit>, end: LogPosition): LogSlice => {
  let events: ReadonlyArray<ChainedEvent> | undefined
  return {
    misfits,
    end,
    get events() {
      events ??= lines.map(eventOf)
      return events
    },
    texts: lines.map(({ text }) => text),
    lines,
  }
}

/**
 * What the lines behind a place hold, in order. A line is its text, or what is wrong with it when it has none. A line that
 * is no event of this version's schema, or damaged, is a misfit; one that claims a hash all the same stands in the chain.
 */
export const contents = (lines: ReadonlyArray<Either.Either<string, string>>, from: Chain.ChainHead): Contents => {
  const sound: Array<Line> = []
  const misfits: Array<LogMisfit> = []
  let { hash } = from
  lines.forEach((text, index) => {
    const line = Either.flatMap(text, read)
    if (Either.isRight(line)) {
      sound.push(line.right)
      hash = hashOf(line.right)
      return
    }
    const known = Either.getOrElse(text, () => "")
    misfits.push({ line: from.lines + index + 1, eventId: claimedId(known), problem: line.left })
    hash = Chain.claimedHash(known) ?? hash
  })
  return { lines: sound, misfits, hash }
}
