import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { RunChanges, RunStoreService } from "../../services/RunStore.js"
import * as LiveStream from "../../src/server/LiveStream.js"

type Changing = Pick<RunStoreService, "changes" | "awaitChange">

const texts = (store: Changing, most: number) =>
  LiveStream.bytesOf(store, {}, "0a0b0c0d", { revision: 7, reset: undefined }).pipe(
    Stream.take(most),
    Stream.decodeText(),
    Stream.runCollect,
    Effect.map(Chunk.toReadonlyArray),
  )

describe("LiveStream", () => {
  it.effect("a quiet stream looks dead to proxies, or a resumed one repeats what was filtered out", () =>
    Effect.gen(function* () {
      const looks = yield* Ref.make(0)
      const none = (revision: number): RunChanges => ({ changes: [], revision, more: false })
      const store: Changing = {
        changes: (_, after) =>
          Effect.as(
            Ref.update(looks, (n) => n + 1),
            none(Math.max(after, 12)),
          ),
        awaitChange: () => Effect.never,
      }
      const reading = yield* Effect.fork(texts(store, 3))
      yield* TestClock.adjust("15 seconds")
      yield* TestClock.adjust("15 seconds")
      expect(yield* Fiber.join(reading)).toEqual([
        "retry: 2000\nid: 7-0a0b0c0d\n\n",
        ": heartbeat\nid: 12-0a0b0c0d\n\n",
        ": heartbeat\nid: 12-0a0b0c0d\n\n",
      ])
      expect(yield* Ref.get(looks)).toBe(2)
    }),
  )

  it.effect("a stream that nobody reads goes on reading the store", () =>
    Effect.gen(function* () {
      const looks = yield* Ref.make(0)
      const store: Changing = {
        changes: (_, after) =>
          Effect.as(
            Ref.update(looks, (n) => n + 1),
            { changes: [{ revision: after + 1, text: "{}" }], revision: after + 1, more: true },
          ),
        awaitChange: () => Effect.never,
      }
      const pull = yield* Stream.toPull(LiveStream.bytesOf(store, {}, "0a0b0c0d", { revision: 7, reset: undefined }))
      yield* pull
      yield* pull
      yield* TestClock.adjust("1 hours")
      expect(yield* Ref.get(looks)).toBe(1)
    }).pipe(Effect.scoped),
  )
})
