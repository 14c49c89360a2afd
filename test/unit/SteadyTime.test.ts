import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorSequence from "../../layers/IdGeneratorSequence.js"
import { EventLog } from "../../services/EventLog.js"
import { LlmClient, streamOf } from "../../services/LlmClient.js"
import { PriceBook } from "../../services/PriceBook.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as Project from "../../src/domain/Project.js"
import * as Usage from "../../src/domain/Usage.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import * as Recorder from "../../src/telemetry/Recorder.js"

const DAY = Duration.toMillis("1 day")
const START = Date.parse("2026-01-31T12:00:00Z")

/** A wall clock that somebody sets, over a monotonic one that nobody can. */
const makeClock = () => {
  let skew = 0
  let passed = 0
  const clock: Clock.Clock = {
    ...Clock.make(),
    unsafeCurrentTimeMillis: () => START + passed + skew,
    unsafeCurrentTimeNanos: () => BigInt(passed) * 1_000_000n,
  }
  return {
    clock,
    set: (by: number) => {
      skew = by
    },
    pass: (millis: number) => {
      passed += millis
    },
  }
}

describe("the time of a run", () => {
  it.effect(
    "a clock set back by two days and on by a year inside calls makes no negative duration and keeps the order",
    () => {
      const { clock, set, pass } = makeClock()
      const skews = [-2 * DAY, 365 * DAY, 0, -2 * DAY]
      let call = 0
      const generate = () =>
        Effect.sync(() => {
          pass(1000)
          set(skews[call++] ?? 0)
          return {
            content: [],
            usage: Usage.none,
            finishReason: "stop" as const,
            stopReason: null,
            model: null,
            requestId: null,
            attempts: [],
            source: "provider" as const,
          }
        })
      const client = Layer.succeed(LlmClient, { provider: "test", baseUrl: null, generate, stream: streamOf(generate) })
      return Effect.gen(function* () {
        const llm = yield* LlmSpan
        const log = yield* EventLog
        for (const callId of ["a", "b", "c", "d"])
          yield* llm.generate(
            { model: "m", messages: [{ role: "user", content: "?" }], temperature: 0, maxTokens: 1 },
            { callId },
          )
        const { events } = yield* log.read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 1_000_000)
        const stamps = events.map(({ ts }) => Date.parse(ts))
        expect(stamps).toHaveLength(8)
        expect(stamps).toEqual(stamps.toSorted((left, right) => left - right))
        expect(stamps[1]).toBe(START + 1000)
        const rows = Project.project(events)
        const ended = rows.flatMap((row) => (row.op === "update" ? [row] : []))
        expect(ended).toHaveLength(4)
        for (const row of ended) {
          const created = rows.find((one) => one.op === "create" && one.event_id === row.event_id)
          expect(Reflect.get(row, "duration_ms")).toBe(1000)
          expect(Date.parse(String(Reflect.get(row, "end_time")))).toBeGreaterThanOrEqual(
            Date.parse(String(Reflect.get(Object(created), "start_time"))),
          )
        }
      }).pipe(
        Effect.provide(
          LlmSpan.layer.pipe(
            Layer.provideMerge(Recorder.layer),
            Layer.provideMerge(Layer.mergeAll(EventLogMemory.layer, IdGeneratorSequence.layer, client)),
            Layer.provideMerge(
              Layer.succeed(PriceBook, {
                unsafePriceOf: () => Option.none(),
                listed: [],
                unpriced: [],
                readOn: "2026-01-01",
              }),
            ),
            Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
          ),
        ),
        Effect.withClock(clock),
      )
    },
  )
})
