import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Age from "../domain/Age.js"
import * as Timestamp from "../domain/Timestamp.js"
import { type CommandError, usage } from "./CommandError.js"

const DAY = /^\d{4}-\d{2}-\d{2}$/

/**
 * An instant as people type it, epoch ms: a day (UTC), an instant with its zone, or an age such as `30d`, that long ago. A day is
 * its first millisecond, or with `end` its last one.
 */
export const parse = (flag: string, text: string, end = false): Effect.Effect<number, CommandError> => {
  const age = Age.parse(text)
  if (Option.isSome(age)) return Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, now - age.value))
  const millis = Timestamp.parseMillis(DAY.test(text) ? `${text}T${end ? "23:59:59.999" : "00:00:00"}Z` : text)
  return millis === undefined
    ? usage(
        `${flag} wants a day such as 2026-01-31 (UTC), an instant with its zone such as 2026-01-31T12:00:00Z, or an age such as 30d or 12h, not ${text}.`,
      )
    : Effect.succeed(millis)
}
