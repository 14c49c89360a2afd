import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import type { Socket } from "node:net"
import * as nodePath from "node:path"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import * as Report from "../../layers/TelemetryHttpReport.js"
import * as TelemetryOffline from "../../layers/TelemetryOffline.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import { EventLog } from "../../services/EventLog.js"
import type { Event } from "../../src/domain/Event.js"
import * as Project from "../../src/domain/Project.js"
import * as RunFold from "../../src/domain/RunFold.js"
import * as Sample from "../support/EventSamples.js"
import * as HandledServer from "../support/HandledServer.js"
import * as LiveServer from "../support/LiveServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as RunFolders from "../support/RunFolders.js"
import { flush, http, record } from "../support/Shipping.js"
import * as WarningLog from "../support/WarningLog.js"

/** A run in a folder that outlives the telemetry of it, so that one process may follow another. */
const folder = Effect.gen(function* () {
  const run = yield* Layer.build(RunFolders.run)
  const { directory } = Context.get(run, CurrentRun)
  const path = Option.getOrThrow(directory)
  const telemetry = (endpoint: string, options: Partial<TelemetryHttp.Options> = {}) =>
    TelemetryHttp.layer({ endpoint, token: Option.none(), flushDeadline: "300 millis", ...options }).pipe(
      Layer.provide(FetchHttpClient.layer),
      Layer.provideMerge(EventLogNdjson.layer({ durability: "process" })),
      Layer.provide(Layer.succeedContext(run)),
    )
  return { path, telemetry, report: nodePath.join(path, "reports", "telemetry_unavailable.md") }
})

describe("TelemetryHttp: leaving", () => {
  it.scopedLive("a log in a folder is marked as meant for the server at once", () =>
    Effect.gen(function* () {
      const { path, telemetry } = yield* folder
      const url = yield* OpsRecorder.closedUrl
      const cursor = nodePath.join(path, "telemetry.cursor")
      expect(existsSync(cursor)).toBe(false)
      const before = yield* Effect.sync(() => existsSync(cursor)).pipe(Effect.provide(telemetry(url)))
      expect(before).toBe(true)
      expect(JSON.parse(readFileSync(cursor, "utf8"))).toMatchObject({ offset: 0, lines: 0 })
    }),
  )

  it.scopedLive(
    "what a hanging server did not take is said in the run's reports, without secrets; the next delivery removes it",
    () =>
      Effect.gen(function* () {
        const { path, report, telemetry } = yield* folder
        const server = yield* OpsRecorder.serve
        server.behave = () => "hang"
        const token = Option.some(Redacted.make("s3cret-token-of-mine"))
        const first = Sample.runCreated()
        yield* Effect.zipRight(record(first), record(Sample.callStarted(1))).pipe(
          Effect.provide(telemetry(server.url, { token })),
        )
        const text = readFileSync(report, "utf8")
        for (const part of [
          "| Undelivered events | 2 |",
          first.ts,
          "did not answer within",
          nodePath.join(path, "events.ndjson"),
          "runledger doctor",
          `runledger ship ${nodePath.dirname(path)}`,
          "TELEMETRY_API_TOKEN",
          server.url,
        ])
          expect(text).toContain(part)
        expect(text).not.toContain("s3cret")
        server.behave = () => ({ status: 200 })
        yield* Effect.scoped(Layer.build(telemetry(server.url, { token, flushDeadline: "20 seconds" })))
        expect(server.applied).toHaveLength(4)
        expect(existsSync(report)).toBe(false)
      }),
  )

  it.scopedLive("a token that a server echoes does not reach the report", () =>
    Effect.gen(function* () {
      const { report, telemetry } = yield* folder
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 401, body: { detail: "no such token: s3cret-token-of-mine" } })
      const token = Option.some(Redacted.make("s3cret-token-of-mine"))
      yield* record(Sample.runCreated()).pipe(Effect.provide(telemetry(server.url, { token })))
      expect(readFileSync(report, "utf8")).toContain("answered 401")
      expect(readFileSync(report, "utf8")).not.toContain("s3cret")
    }),
  )

  it.scopedLive("a run id and a server's words with control characters cannot draw in the report", () =>
    Effect.gen(function* () {
      const { report, telemetry } = yield* folder
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 503, body: { detail: "busy\u001b]0;title\u0007\u202e\n# Heading\u009b31m" } })
      yield* record(Sample.runCreated()).pipe(Effect.provide(telemetry(server.url)))
      const text = readFileSync(report, "utf8")
      expect(text).toContain("answered 503 (busy]0;title # Heading31m)")
      expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u)
      const odd = { directory: Option.some(nodePath.dirname(nodePath.dirname(report))), runId: "run\u001b[2J|\r\n# 1" }
      const delivery = { ...TelemetryOffline.nowhere, undelivered: 1 }
      yield* Report.leave({ ...odd, delivery, deadLetters: 0, isLogged: true, token: Option.none() })
      expect(readFileSync(report, "utf8")).toContain("| Run | run[2J\\| # 1 |")
    }),
  )

  it.scopedLive("a reports folder that is a link is neither written into nor cleaned", () =>
    Effect.gen(function* () {
      const { path, telemetry } = yield* folder
      const server = yield* OpsRecorder.serve
      const elsewhere = nodePath.join(path, "elsewhere")
      const foreign = nodePath.join(elsewhere, "telemetry_unavailable.md")
      mkdirSync(elsewhere)
      writeFileSync(foreign, "of somebody else")
      rmSync(nodePath.join(path, "reports"), { recursive: true, force: true })
      symlinkSync(elsewhere, nodePath.join(path, "reports"))
      yield* Effect.zipRight(record(Sample.runCreated()), flush("10 seconds")).pipe(
        Effect.provide(telemetry(server.url)),
      )
      expect(server.applied).toHaveLength(2)
      expect(readFileSync(foreign, "utf8")).toBe("of somebody else")
    }),
  )

  it.scopedLive("a report that cannot be written is a warning", () =>
    Effect.gen(function* () {
      const { path, telemetry } = yield* folder
      const url = yield* OpsRecorder.closedUrl
      const log = WarningLog.make()
      const spoil = Effect.sync(() => {
        const reports = nodePath.join(path, "reports")
        rmSync(reports, { recursive: true, force: true })
        writeFileSync(reports, "a file")
      })
      yield* Effect.zipRight(record(Sample.runCreated()), spoil).pipe(
        Effect.provide(telemetry(url)),
        Effect.provide(log.layer),
      )
      expect(log.warnings().filter((line) => line.includes("telemetry_unavailable.md"))).toHaveLength(1)
    }),
  )

  it.scopedLive("letters in the folder keep what was refused; the run's backlog is then nothing", () =>
    Effect.gen(function* () {
      const { path, report, telemetry } = yield* folder
      const server = yield* OpsRecorder.serve
      server.behave = () => ({ status: 200, refuse: ({ op }) => op === "create" })
      yield* Effect.zipRight(record(Sample.callStarted(1)), flush("10 seconds")).pipe(
        Effect.provide(telemetry(server.url)),
      )
      const [line = "", ...more] = readFileSync(nodePath.join(path, "telemetry.dead-letters.ndjson"), "utf8").split(
        "\n",
      )
      expect(more).toEqual([""])
      expect(JSON.parse(line)).toMatchObject({
        run_id: "run-001",
        op: "create",
        status: null,
        reason: "no such field",
        operation: { op: "create", run_id: "run-001-llm-call_1" },
      })
      expect(existsSync(report)).toBe(false)
    }),
  )
})

/** A server in front of another that counts connections, and cuts some answers off after the other has done its work. */
const unreliable = (target: string, isLost: () => boolean) =>
  HandledServer.serve((request, response) => {
    const parts: Array<Buffer> = []
    request.on("data", (part: Buffer) => parts.push(part))
    request.on("end", () => {
      fetch(`${target}${request.url ?? ""}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: Buffer.concat(parts),
      })
        .then(async (answer) => {
          const text = await answer.text()
          if (isLost()) request.socket.destroy()
          else response.writeHead(answer.status, { "content-type": "application/json" }).end(text)
        })
        .catch(() => request.socket.destroy())
    })
  })

describe("TelemetryHttp: what a network does", () => {
  it.scopedLive("answers lost after the server has applied them make no row twice and lose no update", () =>
    Effect.gen(function* () {
      const server = yield* LiveServer.start()
      let answers = 0
      const proxy = yield* unreliable(server.url, () => ++answers % 3 !== 0)
      const calls = Array.from({ length: 6 }, (_, n) => n + 1)
      const events: ReadonlyArray<Event> = [
        Sample.runCreated(),
        ...calls.flatMap((n) => [Sample.callStarted(n), Sample.callFinished(n)]),
        Sample.inSpan({ type: "RUN_COMPLETED", payload: { duration_ms: 5 } }),
      ]
      const log = yield* Layer.build(EventLogMemory.layer)
      const processes = Array.from({ length: 3 }, (_, n) => events.slice(n * 5, n * 5 + 5))
      for (const own of processes)
        yield* Effect.zipRight(Effect.forEach(own, record), flush("30 seconds")).pipe(
          Effect.provide(http(proxy, { flushDeadline: "30 seconds" })),
          Effect.provide(log),
        )
      expect(answers).toBeGreaterThan(6)
      const { text } = yield* LiveServer.ask(`${server.url}/api/v1/runs?limit=1000`)
      const stored: ReadonlyArray<Record<string, unknown>> = JSON.parse(text)
      const expected = RunFold.fold(Project.project(events))
      const comparable = ({
        event_id,
        run_id,
        status,
        end_time,
        duration_ms,
        metrics_json,
        context_json,
      }: Record<string, unknown>) => ({ event_id, run_id, status, end_time, duration_ms, metrics_json, context_json })
      const byId = (rows: ReadonlyArray<object>) =>
        rows.map((row) => comparable({ ...row })).sort((a, b) => String(a.event_id).localeCompare(String(b.event_id)))
      expect(byId(stored)).toEqual(byId(expected))
      expect((yield* Effect.flatMap(EventLog, (service) => service.acknowledged).pipe(Effect.provide(log))).lines).toBe(
        events.length,
      )
    }),
  )

  const stuck: ReadonlyArray<readonly [string, (write: (text: string) => void) => void]> = [
    ["hangs", () => undefined],
    [
      "stops in the middle of its answer",
      (write) => {
        for (const letter of "HTTP/1.1 2") write(letter)
      },
    ],
  ]

  for (const [what, answer] of stuck)
    it.scopedLive(`a server that ${what} has never more than one connection of a run`, () =>
      Effect.gen(function* () {
        const open = new Set<Socket>()
        let requests = 0
        let most = 0
        const url = yield* HandledServer.serve((request) => {
          requests += 1
          const { socket } = request
          open.add(socket)
          socket.once("close", () => open.delete(socket))
          most = Math.max(most, [...open].filter(({ destroyed }) => !destroyed).length)
          answer((text) => socket.write(text))
        })
        yield* Effect.gen(function* () {
          for (let n = 0; n < 500 && requests < 5; n++) {
            yield* record(Sample.issue(10))
            yield* Effect.sleep("20 millis")
          }
        }).pipe(Effect.provide(http(url, { requestTimeout: "100 millis", flushDeadline: "100 millis" })))
        expect(requests).toBeGreaterThanOrEqual(5)
        expect(most).toBe(1)
      }),
    )
})
