import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as TestServices from "effect/TestServices"
import { RunStore, RunStoreError } from "../../services/RunStore.js"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"
import * as StaleRuns from "../../src/server/StaleRuns.js"
import { ask, run, send, start } from "../support/LiveServer.js"
import * as WarningLog from "../support/WarningLog.js"

const statusOf = (url: string, id: string) =>
  Effect.map(ask(`${url}/api/v1/runs/${id}`), (answer): unknown => answer.json.status)

/** Asks until the row stands so, by the real clock; says how it stood at last. */
const becomes = (url: string, id: string, status: string) =>
  statusOf(url, id).pipe(
    Effect.filterOrFail((now) => now === status),
    Effect.retry(Schedule.intersect(Schedule.spaced("20 millis"), Schedule.recurs(500))),
    Effect.orElse(() => statusOf(url, id)),
    TestServices.provideLive,
  )

describe("the server and runs without a sign of life", () => {
  it.scoped("ends a running row after the set silence, spares one that reports, and believes the client later", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-03-01T00:00:00Z"))
      const { url } = yield* start({ staleAfter: Option.some(Duration.hours(2)) })
      yield* send(
        "POST",
        `${url}/api/v1/runs`,
        run({ event_id: "silent", run_id: "silent", start_time: "2026-03-01T00:00:00Z" }),
      )
      yield* send("POST", `${url}/api/v1/runs`, run({ event_id: "alive", run_id: "alive" }))
      for (let minutes = 0; minutes < 120; minutes += 5) {
        yield* TestClock.adjust("5 minutes")
        yield* send("POST", `${url}/api/v1/ops`, { ops: [], client: { run_id: "alive", backlog: 0 } })
      }
      expect(yield* statusOf(url, "silent")).toBe("running")
      yield* TestClock.adjust("30 minutes")
      expect(yield* becomes(url, "silent", "timeout")).toBe("timeout")
      const { json } = yield* ask(`${url}/api/v1/runs/silent`)
      expect(json).toMatchObject({ end_time: "2026-03-01T00:00:00.000Z", duration_ms: 0 })
      expect(json.error_summary).toContain("No sign of life for 2h")
      expect(yield* statusOf(url, "alive")).toBe("running")
      yield* send("PATCH", `${url}/api/v1/runs/silent`, { status: "success", end_time: "2026-03-01T01:00:00Z" })
      expect((yield* ask(`${url}/api/v1/runs/silent`)).json).toMatchObject({ status: "success", error_summary: null })
    }),
  )

  it.scoped("ends what fell silent before the server was started, once its clients had a moment to speak", () =>
    Effect.gen(function* () {
      const first = yield* start({ staleAfter: Option.none() })
      yield* send("POST", `${first.url}/api/v1/runs`, run({ event_id: "gone" }))
      yield* TestClock.adjust("3 days")
      expect(yield* statusOf(first.url, "gone")).toBe("running")
      yield* Effect.provide(Server.serve({ ...ServerSettings.defaults, port: 0 }), first.store)
      yield* TestClock.adjust("59 seconds")
      expect(yield* statusOf(first.url, "gone")).toBe("running")
      yield* TestClock.adjust("1 second")
      expect(yield* becomes(first.url, "gone", "timeout")).toBe("timeout")
    }),
  )

  it.scoped("goes on after a failure, which is a warning", () =>
    Effect.gen(function* () {
      const { store } = yield* start({ staleAfter: Option.none() })
      const real = Context.get(store, RunStore)
      let calls = 0
      const failing = {
        ...real,
        closeStale: () =>
          Effect.suspend(() => {
            calls += 1
            return calls === 1
              ? Effect.fail(new RunStoreError({ operation: "end", message: "the disk is full" }))
              : Effect.die("unforeseen")
          }),
      }
      const log = WarningLog.make()
      yield* StaleRuns.watch(ServerSettings.defaults).pipe(
        Effect.provideService(RunStore, failing),
        Effect.provide(log.layer),
      )
      yield* TestClock.adjust("1 hour")
      expect(calls).toBe(4)
      expect(log.warnings()).toHaveLength(4)
    }),
  )
})

const settings = (value: string | undefined) =>
  ServerSettings.config.pipe(
    Effect.withConfigProvider(
      ConfigProvider.fromMap(new Map(value === undefined ? [] : [["TELEMETRY_STALE_AFTER", value]])),
    ),
    Effect.map(({ staleAfter }) => Option.map(staleAfter, Duration.toMillis)),
  )

describe("TELEMETRY_STALE_AFTER", () => {
  it.effect("is a day by default, any duration when set, and nothing when switched off", () =>
    Effect.gen(function* () {
      expect(yield* settings(undefined)).toEqual(Option.some(86_400_000))
      expect(yield* settings("24 hours")).toEqual(Option.some(86_400_000))
      expect(yield* settings(" 1.5  Minutes ")).toEqual(Option.some(90_000))
      expect(yield* settings("1 day")).toEqual(Option.some(86_400_000))
      for (const off of ["0", "off", "OFF", "0 hours"]) expect(yield* settings(off), off).toEqual(Option.none())
    }),
  )

  it.effect("is refused by name when it is no duration", () =>
    Effect.gen(function* () {
      for (const bad of ["", "soon", "24", "-1 hours", "24h", "Infinity", "5 parsecs"]) {
        const error = yield* Effect.flip(settings(bad))
        expect(String(error), bad).toContain("TELEMETRY_STALE_AFTER must be a duration")
      }
    }),
  )
})
