import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CallRecord } from "../domain/CallRecord.js"
import * as PromptRepeats from "../domain/PromptRepeats.js"
import * as SeenTwice from "../domain/SeenTwice.js"
import * as CostedCall from "./CostedCall.js"

/** Repeated questions that are held at once; with more of them the calls are read once for each so many. */
const AT_ONCE = 50_000

export interface Found {
  readonly duplicates: ReadonlyArray<PromptRepeats.PromptRepeat>
  readonly total: PromptRepeats.RepeatTotals
}

const NOTHING: Found = { duplicates: [], total: PromptRepeats.NO_REPEATS }

const hashOf = ({ context_json }: CallRecord): string | undefined => {
  const hash = context_json?.["prompt_hash"]
  return typeof hash === "string" && hash !== "" ? hash : undefined
}

const withPart = (known: Found, repeats: PromptRepeats.Repeats, most: number): Found => {
  const found = PromptRepeats.found(repeats)
  return {
    duplicates: [...known.duplicates, ...found].sort(PromptRepeats.dearestFirst).slice(0, most),
    total: found.reduce(PromptRepeats.add, known.total),
  }
}

const each = <E, R>(calls: Stream.Stream<CallRecord, E, R>, use: (call: CallRecord) => void) =>
  Stream.runForEachChunk(calls, (some) =>
    Effect.sync(() => {
      for (const call of some) use(call)
    }),
  )

const noPrices = () => Option.none()

/**
 * The dearest questions that were asked more than once, and the sums of all of them. The calls are read twice: the first time
 * tells which hashes may have come more than once, in memory that does not grow, the second time those alone are held.
 */
export const find = <E, R>(
  read: () => Stream.Stream<CallRecord, E, R>,
  most: number,
  atOnce = AT_ONCE,
): Effect.Effect<Found, E, R> =>
  Effect.gen(function* () {
    const seen = SeenTwice.make()
    yield* each(read(), (call) => {
      const hash = hashOf(call)
      if (hash !== undefined) seen.add(hash)
    })
    const parts = Math.ceil(seen.count() / atOnce)
    let found = NOTHING
    for (let part = 0; part < parts; part += 1) {
      const repeats: PromptRepeats.Repeats = new Map()
      yield* each(read(), (call) => {
        const promptHash = hashOf(call)
        if (promptHash === undefined || !seen.maybe(promptHash)) return
        if (parts > 1 && SeenTwice.partOf(promptHash, parts) !== part) return
        PromptRepeats.step(repeats, { ...CostedCall.of(call, noPrices), promptHash })
      })
      found = withPart(found, repeats, most)
    }
    return found
  })
