import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { ReceivedOperation, RunStoreService } from "../../services/RunStore.js"
import { chained, creating, event, type StoreLayer, withStore } from "./RunStores.js"

const page = (store: RunStoreService, runId: string, limit: number, after?: string) =>
  Effect.map(store.events(runId, { after, limit }), Option.getOrThrow)

const ids = (found: { readonly events: ReadonlyArray<{ readonly eventId: string }> }) =>
  found.events.map(({ eventId }) => eventId)

/** What the store keeps of a run's log. */
export const logs = ({ name, fresh }: StoreLayer): void => {
  const using = withStore(fresh)

  describe(`RunStore logs, kept by ${name}`, () => {
    it.live("gives events back in the order in which they came, page by page, without loss or repeat", () =>
      using((store) =>
        Effect.gen(function* () {
          const mine = Array.from({ length: 130 }, (_, n) => event(`m${(n * 7) % 130}`, "mine"))
          yield* store.apply(
            mine.flatMap((each, n) => [each, event(`o${n}`, "other")]),
            {},
          )
          const expected = mine.map(({ event_id }) => event_id)
          expect(ids(yield* page(store, "mine", 1000))).toEqual(expected)
          const seen: Array<string> = []
          let after: string | undefined
          let more = true
          while (more) {
            const found = yield* page(store, "mine", 60, after)
            seen.push(...ids(found))
            after = seen.at(-1)
            more = found.more
          }
          expect(seen).toEqual(expected)
          expect(yield* page(store, "mine", 5, after)).toEqual({ events: [], more: false })
          expect(yield* store.events("mine", { after: "o1", limit: 5 })).toEqual(Option.none())
          expect(yield* store.events("mine", { after: "nobody", limit: 5 })).toEqual(Option.none())
        }),
      ),
    )

    it.live("keeps an event to the letter when its text came along, and whole when not", () =>
      using((store) =>
        Effect.gen(function* () {
          const text = '{ "payload":{"9":1.0,"a":2,"__proto__":{"x":1}}, "type":"RUN_STATE_CHANGED" }'
          const operations: ReadonlyArray<ReceivedOperation> = [{ ...event("1", "r"), text }, event("2", "r")]
          yield* store.apply(operations, {})
          const [first, second] = (yield* page(store, "r", 10)).events
          expect(first?.text).toBe(text)
          expect(JSON.parse(second?.text ?? "")).toEqual(event("2", "r").event)
        }),
      ),
    )

    it.live("names the last chained event and counts each event once, whatever comes again", () =>
      using((store) =>
        Effect.gen(function* () {
          expect(yield* store.logHead("r")).toEqual(Option.none())
          yield* store.apply([creating("r")], {})
          expect(yield* store.logHead("r")).toEqual(Option.some({ hash: null, events: 0 }))
          yield* store.apply([event("0", "r")], {})
          expect(yield* store.logHead("r")).toEqual(Option.some({ hash: null, events: 1 }))
          const log = [chained("1", "r", "1"), chained("2", "r", "2"), event("3", "r")]
          yield* store.apply(log, {})
          yield* store.apply([...log.slice(0, 1), ...log.slice(0, 1), chained("x", "other", "9")], {})
          expect(yield* store.logHead("r")).toEqual(Option.some({ hash: "2".repeat(64), events: 4 }))
          expect(yield* store.logHead("other")).toEqual(Option.some({ hash: "9".repeat(64), events: 1 }))
        }),
      ),
    )

    it.live("ends a page early when events are large, and says that more follow", () =>
      using((store) =>
        Effect.gen(function* () {
          const large = "x".repeat(300_000)
          const many = Array.from({ length: 120 }, (_, n) => ({
            ...event(`${n}`, "r"),
            text: `{"n":${n},"x":"${large}"}`,
          }))
          yield* store.apply(many, {})
          const found = yield* page(store, "r", 1000)
          expect(found.more).toBe(true)
          expect(found.events.length).toBeLessThan(120)
          const rest = yield* page(store, "r", 1000, ids(found).at(-1))
          expect([...ids(found), ...ids(rest)].slice(0, 60)).toEqual(Array.from({ length: 60 }, (_, n) => `${n}`))
        }),
      ),
    )
  })
}
