import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as RunLock from "./RunLock.js"

/** A process that has calls in flight, and since when (epoch ms) the oldest of them. */
export interface HolderRow {
  readonly owner: string
  readonly oldest: number
}

/** What is given free of a process's reservations: those made before an instant. */
export interface Forfeit {
  readonly owner: string
  readonly before: number
}

/** No call takes longer: so old a reservation of a process of which nobody can tell whether it lives is taken for left behind. */
const UNSEEN_MILLIS = 60 * 60_000

const decode = Schema.decodeUnknownOption(Schema.parseJson(RunLock.Owner))

/** Where nobody can tell when a process started, one that is there may be another that got its number. */
const seen = ({ start_time }: RunLock.Owner, { _tag }: RunLock.Standing): RunLock.Standing["_tag"] =>
  _tag === "Owned" && start_time === null ? "Unknown" : _tag

const judged = (text: string): Effect.Effect<RunLock.Standing["_tag"]> =>
  Option.match(decode(text), {
    onNone: () => Effect.succeed("Unknown" as const),
    onSome: (owner) =>
      Effect.orElseSucceed(
        Effect.map(
          Effect.tryPromise(() => RunLock.judged(owner)),
          (standing) => seen(owner, standing),
        ),
        () => "Unknown" as const,
      ),
  })

/** What of the given processes' reservations nobody will give back any more: all of a dead one's, the old ones of an unseen one's. */
export const forfeits = (rows: ReadonlyArray<HolderRow>): Effect.Effect<ReadonlyArray<Forfeit>> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.map(
      Effect.forEach(rows, ({ oldest, owner }) =>
        Effect.map(judged(owner), (standing): ReadonlyArray<Forfeit> => {
          if (standing === "Dead") return [{ owner, before: Number.MAX_SAFE_INTEGER }]
          const isOld = standing === "Unknown" && oldest < now - UNSEEN_MILLIS
          return isOld ? [{ owner, before: now - UNSEEN_MILLIS }] : []
        }),
      ),
      (found) => found.flat(),
    ),
  )
