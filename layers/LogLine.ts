import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { LogMisfit } from "../services/EventLog.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent } from "../src/domain/Event.js"
import * as JsonText from "../src/domain/JsonText.js"

/** What lines of a log hold. */
export interface Contents {
  readonly events: ReadonlyArray<ChainedEvent>
  readonly texts: ReadonlyArray<string>
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

/**
 * What the lines behind a place hold, in order. A line is its text, or what is wrong with it when it has none. A line that
 * is no event of this version's schema, or damaged, is a misfit; one that claims a hash all the same stands in the chain.
 */
export const contents = (lines: ReadonlyArray<Either.Either<string, string>>, from: Chain.ChainHead): Contents => {
  const events: Array<ChainedEvent> = []
  const texts: Array<string> = []
  const misfits: Array<LogMisfit> = []
  let { hash } = from
  lines.forEach((text, index) => {
    const event = Either.flatMap(text, Chain.parse)
    if (Either.isRight(event) && Either.isRight(text)) {
      events.push(event.right)
      texts.push(text.right)
      hash = event.right.event_hash
      return
    }
    const known = Either.getOrElse(text, () => "")
    const problem = Either.isLeft(event) ? event.left : ""
    misfits.push({ line: from.lines + index + 1, eventId: claimedId(known), problem })
    hash = Chain.claimedHash(known) ?? hash
  })
  return { events, texts, misfits, hash }
}
