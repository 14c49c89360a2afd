import * as Effect from "effect/Effect"
import * as Timestamp from "../domain/Timestamp.js"
import { type CommandError, usage } from "./CommandError.js"

const DAY = /^\d{4}-\d{2}-\d{2}$/

/**
 * An instant as people type it, epoch ms: a day (UTC) or an instant with its zone. A day is its first millisecond, or with `end`
 * its last one.
 */
export const parse = (flag: string, text: string, end = false): Effect.Effect<number, CommandError> => {
  const millis = Timestamp.parseMillis(DAY.test(text) ? `${text}T${end ? "23:59:59.999" : "00:00:00"}Z` : text)
  return millis === undefined
    ? usage(
        `${flag} wants a day such as 2026-01-31 (UTC) or an instant with its zone such as 2026-01-31T12:00:00Z, not ${text}.`,
      )
    : Effect.succeed(millis)
}
