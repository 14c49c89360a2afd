import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as BacklogFolders from "../../layers/BacklogFolders.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { Backlog } from "../../services/Backlog.js"
import * as DeadRuns from "../support/DeadRuns.js"
import * as LiveServer from "../support/LiveServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as RunFolders from "../support/RunFolders.js"
import * as Runledger from "../support/Runledger.js"

const backlog = (runsDir: string, endpoint: string) =>
  BacklogFolders.layer({ runsDir, endpoint, token: Option.none(), durability: "process" }).pipe(
    Layer.provide(FetchHttpClient.layer),
  )

const survey = (runsDir: string) =>
  Effect.flatMap(Backlog, (service) => service.survey).pipe(Effect.provide(backlog(runsDir, "http://127.0.0.1:9")))

const drain = (runsDir: string, endpoint: string, { includeOffline = false } = {}) =>
  Effect.flatMap(Backlog, (service) => service.drain({ includeOffline })).pipe(
    Effect.provide(backlog(runsDir, endpoint)),
  )

const { eventsOf } = Runledger

const verified = (directory: string) =>
  Effect.map(EventLogNdjson.verifyFile(nodePath.join(directory, "events.ndjson")), ({ problems }) => problems)

const cursorOf = (directory: string): { readonly lines: number } =>
  JSON.parse(fs.readFileSync(nodePath.join(directory, "telemetry.cursor"), "utf8"))

describe("ProcessDied", () => {
  it.scopedLive(
    "a SIGKILLed process's run is delivered whole; its open spans fail as ProcessDied in log and store, and yield to the client",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const { url } = yield* LiveServer.start()
        const pid = yield* DeadRuns.killed(runsDir, "run-001", yield* OpsRecorder.closedUrl)
        const directory = nodePath.join(runsDir, "run-001")
        expect((yield* survey(runsDir))[0]).toMatchObject({
          undelivered: DeadRuns.EVENTS,
          openSpans: DeadRuns.OPEN,
          owner: null,
        })
        const [drained] = yield* drain(runsDir, url)
        expect(drained).toMatchObject({
          runId: "run-001",
          delivered: DeadRuns.EVENTS + DeadRuns.OPEN,
          undelivered: 0,
          closedSpans: DeadRuns.OPEN,
          skipped: null,
          lastError: null,
        })
        const events = yield* eventsOf(directory)
        const lastSign = events[DeadRuns.EVENTS - 1]?.ts
        const closings = events.slice(DeadRuns.EVENTS)
        expect(closings.map(({ type, ts }) => [type, ts])).toEqual([
          ["LLM_CALL_FAILED", lastSign],
          ["WORK_ITEM_FINISHED", lastSign],
          ["RUN_FAILED", lastSign],
        ])
        expect(closings.map(({ payload }) => payload)).toEqual([
          expect.objectContaining({ error_class: "ProcessDied", error_summary: expect.stringContaining(`${pid}`) }),
          expect.objectContaining({
            error_class: "ProcessDied",
            error: expect.stringContaining(`${pid}`),
            success: false,
          }),
          expect.objectContaining({ error_class: "ProcessDied", lines_before: events.length - 1 }),
        ])
        expect(yield* verified(directory)).toEqual([])
        expect(cursorOf(directory).lines).toBe(events.length)
        expect(fs.existsSync(nodePath.join(directory, "lock"))).toBe(false)

        const rows = (yield* LiveServer.ask(`${url}/api/v1/runs?parent_run_id=run-001`)).json
        const failed = rows.filter((row: { readonly status: string }) => row.status === "failure")
        expect(rows.length).toBe(5)
        expect(failed.map((row: { readonly job_type: string }) => row.job_type).toSorted()).toEqual([
          "llm_call",
          "worker",
        ])
        const call = failed.find((row: { readonly job_type: string }) => row.job_type === "llm_call")
        expect(call).toMatchObject({ context_json: { error_class: "ProcessDied" }, end_time: lastSign })
        const run = (yield* LiveServer.ask(`${url}/api/v1/runs/run-001`)).json
        expect(run).toMatchObject({ status: "failure", error_summary: expect.stringContaining(`${pid}`) })
        const own = { op: "update", event_id: call.event_id, status: "success", end_time: lastSign }
        yield* LiveServer.ask(`${url}/api/v1/ops`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ ops: [own] }),
        })
        expect((yield* LiveServer.ask(`${url}/api/v1/runs/${call.event_id}`)).json.status).toBe("success")
        const state = DeadRuns.stateOf(directory)
        expect(yield* drain(runsDir, url, { includeOffline: true })).toEqual([])
        expect(DeadRuns.stateOf(directory)).toEqual(state)
      }),
  )

  it.scopedLive(
    "a resumed run's dead spans are closed before anything else is appended, and a second death closes only its own",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const { url } = yield* LiveServer.start()
        const first = yield* DeadRuns.killed(runsDir, "run-001", "offline")
        const second = yield* DeadRuns.killed(runsDir, "run-001", "offline", "resume")
        const [drained] = yield* drain(runsDir, url, { includeOffline: true })
        expect(drained).toMatchObject({ undelivered: 0, lastError: null, closedSpans: 2 })
        const directory = nodePath.join(runsDir, "run-001")
        expect(yield* verified(directory)).toEqual([])
        const events = yield* eventsOf(directory)
        const died = events.flatMap(({ type, payload }, index) =>
          JSON.stringify(payload).includes("ProcessDied") ? [[index, type, JSON.stringify(payload)] as const] : [],
        )
        expect(died.map(([index, type]) => [index, type])).toEqual([
          [DeadRuns.EVENTS, "LLM_CALL_FAILED"],
          [DeadRuns.EVENTS + 1, "WORK_ITEM_FINISHED"],
          [DeadRuns.EVENTS + 2, "RUN_FAILED"],
          [events.length - 2, "LLM_CALL_FAILED"],
          [events.length - 1, "WORK_ITEM_FINISHED"],
        ])
        expect(died.map(([, , text]) => text.includes(`${first},`))).toEqual([true, true, true, false, false])
        expect(died.map(([, , text]) => text.includes(`${second},`))).toEqual([false, false, false, true, true])
        const rows = (yield* LiveServer.ask(`${url}/api/v1/runs?parent_run_id=run-001`)).json
        expect(rows.some((row: { readonly status: string }) => row.status === "running")).toBe(false)
      }),
  )
})
