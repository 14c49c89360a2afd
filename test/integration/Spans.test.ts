import * as diagnostics from "node:diagnostics_channel"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Supervisor from "effect/Supervisor"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import { type Delivery, Telemetry } from "../../services/Telemetry.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import * as RunSpan from "../../src/telemetry/RunSpan.js"
import * as WorkerSpan from "../../src/telemetry/WorkerSpan.js"
import * as Sample from "../support/EventSamples.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { events } from "../support/RecordedProgram.js"

class NoFolder extends Data.TaggedError("NoFolder")<{ readonly message: string }> {}

type Place = { readonly trace_id: string; readonly span_id?: string; readonly parent_span_id?: string }

const recorder = (trace?: Place) =>
  Recorder.layer.pipe(
    Layer.provideMerge(Layer.merge(EventLogMemory.layer, IdGeneratorLive.layer)),
    Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001", trace })),
  )

const created = { agent_name: "launch.orchestrator", job_type: "launch" }
const worker = { worker: "W1.RepoScout", agentName: "launch.workers.RepoScout" }

it.live("a run ends as its program does: completed, failed or cancelled, and the result is passed on", () =>
  Effect.gen(function* () {
    const endOf = <A, E>(program: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(
          RunSpan.around(created, program, () => ({ status: "partial", items_succeeded: 2 })),
        )
        return { exit, all: yield* events }
      }).pipe(Effect.provide(recorder()))

    const completed = yield* endOf(Effect.succeed(42))
    expect(completed.exit).toEqual(Exit.succeed(42))
    expect(completed.all).toMatchObject([
      { type: "RUN_CREATED" },
      { type: "RUN_COMPLETED", payload: { status: "partial", items_succeeded: 2 } },
    ])
    const failed = yield* endOf(Effect.fail(new NoFolder({ message: "no such folder" })))
    expect(Exit.isFailure(failed.exit)).toBe(true)
    expect(failed.all[1]).toMatchObject({
      type: "RUN_FAILED",
      payload: { error_class: "NoFolder", error_summary: "no such folder" },
    })
    const cancelled = yield* endOf(Effect.interrupt)
    expect(Exit.isInterrupted(cancelled.exit)).toBe(true)
    expect(cancelled.all[1]).toMatchObject({ type: "RUN_CANCELLED" })
    expect(new Set([...cancelled.all].map(({ span_id }) => span_id)).size).toBe(1)
  }),
)

it.live("interrupting a run closes the open worker as cancelled before the run is cancelled", () =>
  Effect.gen(function* () {
    const started = yield* Deferred.make<void>()
    const work = WorkerSpan.around(worker, Effect.zipRight(Deferred.succeed(started, undefined), Effect.never))
    const fiber = yield* Effect.fork(RunSpan.around(created, work))
    yield* Deferred.await(started)
    yield* Fiber.interrupt(fiber)
    expect(yield* events).toMatchObject([
      { type: "RUN_CREATED" },
      { type: "WORK_ITEM_STARTED" },
      { type: "WORK_ITEM_FINISHED", payload: { success: false, status: "cancelled" } },
      { type: "RUN_CANCELLED" },
    ])
  }).pipe(Effect.provide(recorder())),
)

it.live("a worker's attempts count up, and each is a span of its own under the run's", () =>
  Effect.gen(function* () {
    const once = WorkerSpan.around(worker, Effect.void)
    yield* RunSpan.around(
      created,
      Effect.gen(function* () {
        const attempt = yield* Effect.flatMap(CurrentRun, (run) => run.nextAttempt(worker.worker))
        yield* WorkerSpan.queued(worker.worker, attempt)
        yield* WorkerSpan.around({ ...worker, attempt }, Effect.void)
        yield* once
      }),
    )
    const all = yield* events
    const items = all.flatMap((event) => (event.type === "WORK_ITEM_STARTED" ? [event] : []))
    expect(items.map(({ payload }) => payload.work_item_id)).toEqual([
      "run-001:W1.RepoScout:1",
      "run-001:W1.RepoScout:2",
    ])
    expect(new Set(items.map(({ span_id }) => span_id)).size).toBe(2)
    for (const item of items) expect(item.parent_span_id).toBe(all[0]?.span_id)
    expect(all.map(({ type }) => type)).toContain("WORK_ITEM_QUEUED")
  }).pipe(Effect.provide(recorder())),
)

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

it.live("a run stands where its caller places it: in a trace, or under a span of it", () =>
  Effect.gen(function* () {
    const first = (trace: Place) =>
      Effect.map(Effect.zipRight(RunSpan.around(created, Effect.void), events), ([event]) => event).pipe(
        Effect.provide(recorder(trace)),
      )
    const under = yield* first({ trace_id: TRACE, span_id: "00f067aa0ba902b7" })
    expect(under).toMatchObject({ trace_id: TRACE, parent_span_id: "00f067aa0ba902b7" })
    expect(under?.span_id).not.toBe("00f067aa0ba902b7")
    const inside = yield* first({ trace_id: TRACE })
    expect(inside?.trace_id).toBe(TRACE)
    expect(inside?.parent_span_id).toBeUndefined()
  }),
)

it.live("with Effect's tracer switched off workers still have spans of their own in the run's trace", () =>
  Effect.gen(function* () {
    yield* RunSpan.around(
      created,
      Effect.all([WorkerSpan.around(worker, Effect.void), WorkerSpan.around(worker, Effect.void)], { concurrency: 2 }),
    ).pipe(Effect.withTracerEnabled(false))
    const all = yield* events
    expect(new Set(all.map(({ trace_id }) => trace_id)).size).toBe(1)
    expect(new Set(all.map(({ span_id }) => span_id)).size).toBe(3)
  }).pipe(Effect.provide(recorder())),
)

const asLaunch = <E, R>(telemetry: Layer.Layer<Telemetry, E, R>) =>
  RunSpan.around(
    created,
    Effect.all([WorkerSpan.around(worker, Effect.void), WorkerSpan.around(worker, Effect.void)]),
  ).pipe(
    Effect.zipRight(events),
    Effect.provide(
      Recorder.layer.pipe(
        Layer.provideMerge(telemetry),
        Layer.provideMerge(Layer.merge(EventLogMemory.layer, IdGeneratorLive.layer)),
        Layer.provideMerge(CurrentRunDetached.layer({ runId: "run-001" })),
      ),
    ),
  )

const http = (endpoint: string) =>
  TelemetryHttp.layer({ endpoint, token: Option.none(), flushDeadline: "10 seconds" }).pipe(
    Layer.provide(FetchHttpClient.layer),
  )

class StartedFibers extends Supervisor.AbstractSupervisor<number> {
  private count = 0
  override get value() {
    return Effect.sync(() => this.count)
  }
  override onStart() {
    this.count += 1
  }
}

/** How many fibers a telemetry layer starts from its making to its end, with an event recorded and flushed between. */
const fibersOf = (layer: Layer.Layer<Telemetry>) =>
  Effect.gen(function* () {
    const started = new StartedFibers()
    const use = Effect.flatMap(Layer.build(layer), (context) => {
      const telemetry = Context.get(context, Telemetry)
      return Effect.zipRight(telemetry.record(Sample.runCreated()), telemetry.flush("10 millis"))
    })
    yield* Effect.scoped(use).pipe(Effect.supervised(started))
    return yield* started.value
  })

it.scopedLive("T33 offline no fiber is started", () =>
  Effect.gen(function* () {
    const run = CurrentRunDetached.layer({ runId: "run-001" })
    const server = yield* OpsRecorder.serve
    expect(yield* fibersOf(http(server.url).pipe(Layer.provide(run)))).toBeGreaterThan(0)
    expect(yield* fibersOf(TelemetryOffline.layer)).toBe(0)
  }),
)

it.scopedLive("T33 offline no socket is opened; ids are in the events all the same", () =>
  Effect.gen(function* () {
    let sockets = 0
    const spy = () => {
      sockets += 1
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => diagnostics.subscribe("net.client.socket", spy)),
      () => Effect.sync(() => diagnostics.unsubscribe("net.client.socket", spy)),
    )
    const server = yield* OpsRecorder.serve
    yield* asLaunch(http(server.url))
    expect(sockets).toBeGreaterThan(0)
    sockets = 0
    const all = yield* asLaunch(TelemetryOffline.layer)
    expect(sockets).toBe(0)
    for (const event of all) expect(event).toMatchObject({ trace_id: all[0]?.trace_id, span_id: expect.any(String) })
  }),
)

it.scopedLive("T32 a launch has one telemetry client: never two requests at a time, one connection", () =>
  Effect.gen(function* () {
    const server = yield* OpsRecorder.serve
    yield* asLaunch(http(server.url))
    expect(server.connections()).toBe(1)
    expect(server.applied.filter(({ op }) => op === "create")).toHaveLength(3)
  }),
)

it.scopedLive("a worker's end never waits for a server that has not answered: its flush asks for no time at all", () =>
  Effect.gen(function* () {
    const deadlines: Array<unknown> = []
    const delivery: Delivery = { ...TelemetryOffline.nowhere, endpoint: "http://x", undelivered: 4 }
    const spy = (now: Delivery) =>
      Layer.succeed(Telemetry, {
        record: () => Effect.void,
        flush: (deadline) =>
          Effect.sync(() => {
            deadlines.push(deadline)
            return now
          }),
        delivery: Effect.succeed(now),
      })
    yield* asLaunch(spy(delivery))
    yield* asLaunch(spy({ ...delivery, delivered: 5, lastError: "no answer" }))
    expect(deadlines.map(String)).toEqual(Array.from({ length: 4 }, () => "Duration(0)"))
    deadlines.length = 0
    yield* asLaunch(spy({ ...delivery, delivered: 5 }))
    expect(deadlines.map(String)).toEqual(Array.from({ length: 2 }, () => "Duration(1s)"))
  }),
)
