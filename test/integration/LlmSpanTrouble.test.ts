import * as nodeFs from "node:fs"
import * as nodePath from "node:path"
import * as HttpClient from "@effect/platform/HttpClient"
import { expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as Runledger from "../../layers/Runledger.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { EventLog, EventLogError } from "../../services/EventLog.js"
import { EvidenceError, EvidenceStore } from "../../services/EvidenceStore.js"
import { Telemetry } from "../../services/Telemetry.js"
import type { Event } from "../../src/domain/Event.js"
import * as RecordedRun from "../../src/telemetry/RecordedRun.js"
import type * as OpsRecorder from "../support/OpsRecorder.js"
import {
  detached,
  events,
  evidence,
  folder,
  generate,
  log,
  model as modelLayer,
  recording,
  servers,
  telemetry,
} from "../support/RecordedProgram.js"
import * as WarningLog from "../support/WarningLog.js"

const refusing =
  (op: string, status = 422) =>
  (received: OpsRecorder.Received): OpsRecorder.Behaviour =>
    received.ops.some((one) => one.op === op) ? { status, body: { detail: `no ${op} today` } } : { status: 200 }

it.scopedLive.each([
  ["T11 T20 create refused", refusing("create"), 1],
  ["T12 T21 update refused", refusing("update"), 1],
  [
    "T20 T21 both refused",
    (received: OpsRecorder.Received) =>
      received.ops.some(({ op }) => op !== "event") ? { status: 422, body: { detail: "no" } } : { status: 200 },
    2,
  ],
  ["T11 T12 the server fails", () => ({ status: 500 }) as const, 1],
] as const)("%s: the call's result is unchanged, one warning each", ([_title, behave, warnings]) =>
  Effect.gen(function* () {
    const { model, api, runsDir } = yield* servers
    const lines = WarningLog.make()
    api.behave = behave
    model.answersWhen = () => api.requests.length > 0
    const call = yield* generate("test_call").pipe(
      Effect.provide(
        recording(model.url, Layer.provideMerge(telemetry(api.url), log)).pipe(Layer.provideMerge(folder(runsDir))),
      ),
      Effect.provide(lines.layer),
    )
    expect(call).toMatchObject({ callId: "test_call", usage: { uncachedInput: 1500, output: 3000 } })
    expect(lines.warnings()).toHaveLength(warnings)
  }),
)

const brokenLog = (isBroken: () => boolean) =>
  Layer.effect(
    EventLog,
    Effect.map(EventLog, (real) => ({
      ...real,
      append: (event: Event) =>
        isBroken()
          ? Effect.fail(new EventLogError({ operation: "append", path: "/full", message: "no space left on the disk" }))
          : real.append(event),
    })),
  ).pipe(Layer.provide(log))

it.scopedLive("T13 an event log that fails is one warning; what was lost is told of when it works again", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    let broken = true
    const all = yield* Effect.gen(function* () {
      expect(yield* generate("lost")).toMatchObject({ callId: "lost" })
      broken = false
      yield* generate("kept")
      return yield* events
    }).pipe(
      Effect.provide(
        recording(
          model.url,
          brokenLog(() => broken),
        ).pipe(Layer.provideMerge(folder(runsDir))),
      ),
      Effect.provide(lines.layer),
    )
    expect(all.map(({ type }) => type)).toEqual(["TELEMETRY_GAP", "LLM_CALL_STARTED", "LLM_CALL_FINISHED"])
    expect(all[0]).toMatchObject({ payload: { dropped: 2, reason: "no space left on the disk" } })
    expect(lines.warnings().filter((line) => line.includes("no space left"))).toHaveLength(1)
  }),
)

it.scopedLive("T13 an event log that was closed under the call's feet, as root too: one warning, the same result", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const call = yield* Effect.gen(function* () {
      const scope = yield* Scope.make()
      const closed = yield* Layer.buildWithScope(log, scope)
      yield* Scope.close(scope, Exit.void)
      return yield* generate("test_call").pipe(Effect.provide(recording(model.url, Layer.succeedContext(closed))))
    }).pipe(Effect.provide(folder(runsDir)), Effect.provide(lines.layer))
    expect(call.usage).toMatchObject({ uncachedInput: 1500, output: 3000 })
    expect(lines.warnings()).toHaveLength(1)
    expect(lines.warnings()[0]).toContain("events.ndjson")
  }),
)

it.scopedLive("T13 T34 where no folder can be made the composed layer warns, and the call works", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const file = nodePath.join(runsDir, "a-file")
    nodeFs.writeFileSync(file, "")
    const settings = ConfigProvider.fromMap(new Map([["TELEMETRY_API_URL", "no url"]]))
    const call = yield* generate("test_call").pipe(
      Effect.provide(RecordedRun.layer({ agent_name: "test", job_type: "test" })),
      Effect.provide(Layer.merge(Runledger.layer({ name: "test", runsDir: file }), modelLayer(model.url))),
      Effect.withConfigProvider(settings),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    expect(lines.warnings()).toHaveLength(4)
  }),
)

const dying = Layer.succeed(Telemetry, {
  ...TelemetryOffline.service,
  record: () => Effect.die(new Error("the transport died")),
})

it.scopedLive("T14 a transport that dies with a defect is one warning, and changes no result", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const call = yield* generate("test_call").pipe(
      Effect.provide(recording(model.url, Layer.merge(dying, log)).pipe(Layer.provideMerge(folder(runsDir)))),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    expect(lines.warnings()).toHaveLength(1)
    expect(lines.warnings()[0]).toContain("the transport died")
    expect(lines.all().some((line) => line.startsWith("1 times more"))).toBe(true)
  }),
)

it.scopedLive("T14 an HTTP client that dies with a defect is one warning, and changes no result", () =>
  Effect.gen(function* () {
    const { model } = yield* servers
    const lines = WarningLog.make()
    const deadClient = Layer.succeed(
      HttpClient.HttpClient,
      HttpClient.make(() => Effect.die(new Error("the client died"))),
    )
    const outside = TelemetryHttp.layer({ endpoint: "http://127.0.0.1:1", token: Option.none() }).pipe(
      Layer.provide(deadClient),
      Layer.provideMerge(EventLogMemory.layer),
    )
    const call = yield* generate("test_call").pipe(
      Effect.provide(recording(model.url, outside).pipe(Layer.provideMerge(detached))),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    expect(lines.warnings()).toHaveLength(1)
    expect(lines.warnings()[0]).toContain("the client died")
  }),
)

it.scopedLive("T15 log, transport and evidence broken at once: the same result, one warning each", () =>
  Effect.gen(function* () {
    const { model, runsDir } = yield* servers
    const lines = WarningLog.make()
    const noEvidence = Layer.effect(
      EvidenceStore,
      Effect.map(EvidenceStore, (real) => ({
        ...real,
        put: () => Effect.fail(new EvidenceError({ operation: "put", path: "/full", message: "no room for evidence" })),
      })),
    ).pipe(Layer.provide(evidence))
    let appends = 0
    const outside = Layer.mergeAll(
      dying,
      noEvidence,
      brokenLog(() => ++appends === 1),
    )
    const call = yield* Effect.zipLeft(generate("one"), generate("two")).pipe(
      Effect.provide(recording(model.url, outside).pipe(Layer.provideMerge(folder(runsDir)))),
      Effect.provide(lines.layer),
    )
    expect(call.usage.output).toBe(3000)
    for (const words of ["the transport died", "no room for evidence", "no space left"])
      expect(lines.warnings().filter((line) => line.includes(words))).toHaveLength(1)
  }),
)
