import * as nodePath from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as DeadLetterFile from "../../layers/DeadLetterFile.js"
import type { ChainedEvent, Event, EventBody } from "../../src/domain/Event.js"
import * as EventSamples from "../support/EventSamples.js"
import * as LiveServer from "../support/LiveServer.js"
import * as Runledger from "../support/Runledger.js"
import * as TamperedLog from "../support/TamperedLog.js"

beforeAll(Runledger.build)

const LENGTH = 30

/** A run of thirty lines, opened and closed. */
const events = Array.from({ length: LENGTH }, (_, n) => {
  const body: EventBody | undefined =
    n === 0 ? EventSamples.created : n === LENGTH - 1 ? EventSamples.completed : undefined
  return EventSamples.event(n, body)
})

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/

const operations = (all: ReadonlyArray<ChainedEvent>) => ({
  ops: all.map((event) => ({ op: "event", event_id: event.event_id, event })),
  client: { backlog: 0, dropped: 0, dead_letters: 0, log_head: null },
})

/** A log that a live server has received, event by event. */
const delivered = Effect.gen(function* () {
  const { cwd, path } = yield* Runledger.workplace
  const server = yield* LiveServer.start()
  const log = yield* TamperedLog.write(path("runs"), events)
  const answer = yield* LiveServer.send("POST", `${server.url}/api/v1/ops`, operations(log.events))
  expect(answer.status).toBe(200)
  const verify = (...flags: ReadonlyArray<string>) =>
    Effect.flatMap(
      Runledger.run(["verify", log.directory, "--json", ...flags], { cwd, env: { TELEMETRY_API_URL: server.url } }),
      (ended) => Effect.map(Runledger.json(ended.stdout), (document) => ({ ...ended, document })),
    )
  return { cwd, server, log, verify }
})

/** A call that counted other tokens than it was recorded with. */
const cheaper = (event: Event): Event =>
  event.type === "LLM_CALL_FINISHED"
    ? { ...event, payload: { ...event.payload, token_usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 } } }
    : event

const MISSING = (events: number) =>
  new RegExp(`^${events} events? that the server received (?:is|are) not in the log, from \\S+ on: its tail was cut$`)

const ofServer = (found: object) => ({
  intact: false,
  acknowledged: [expect.anything(), { source: "server", ...found }],
})

describe("runledger verify", () => {
  it.scopedLive("compares with the cursor and with the server, says which line they remember, and exits 0", () =>
    Effect.gen(function* () {
      const { cwd, server, log, verify } = yield* delivered
      const { code, document } = yield* verify()
      expect(code).toBe(0)
      const head = log.events.at(-1)?.event_hash
      const remembered = { lines: LENGTH, line: LENGTH, hash: head, found: true, problem: null }
      expect(document).toMatchObject({
        intact: true,
        lines: LENGTH,
        head,
        acknowledged: [
          { source: "cursor", ...remembered },
          { source: "server", ...remembered },
        ],
        not_compared: [],
        dead_letters: 0,
        lost_events: 0,
      })
      const human = yield* Runledger.run(["verify", log.directory], { cwd, env: { TELEMETRY_API_URL: server.url } })
      expect(human.stdout).toMatch(/^intact: 30 lines of .*events\.ndjson, head [0-9a-f]{64}$/m)
      expect(human.stdout).toContain("server: what was acknowledged stands, up to line 30")
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "finds a file written anew by the server's memory when the cursor was written anew too, and exits 3",
    () =>
      Effect.gen(function* () {
        const { log, verify } = yield* delivered
        const lines = TamperedLog.forgery(log.events)
        TamperedLog.replace(log, lines)
        TamperedLog.moveCursor(log, lines)
        const found = yield* verify()
        expect(found.code).toBe(3)
        expect(found.document).toMatchObject(
          ofServer({
            found: false,
            problem: expect.stringMatching(/^the server holds another log under this run id: 30 /),
          }),
        )
        expect(found.stderr).toContain("None of it can be trusted")
        for (const skipped of [yield* verify("--local")]) {
          expect([skipped.code, skipped.document]).toEqual([
            0,
            expect.objectContaining({ not_compared: ["a server: --local"] }),
          ])
        }
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("finds a cut tail by the server's memory when the cursor was cut back too, and exits 3", () =>
    Effect.gen(function* () {
      const { log, verify } = yield* delivered
      for (const kept of [1, 17, LENGTH - 1]) {
        const lines = log.lines.slice(0, kept)
        TamperedLog.replace(log, lines)
        TamperedLog.moveCursor(log, lines)
        const found = yield* verify()
        expect(found.code).toBe(3)
        expect(found.document).toMatchObject(
          ofServer({ found: false, problem: expect.stringMatching(MISSING(LENGTH - kept)) }),
        )
        expect(found.stderr).toContain(`What stands before line ${kept + 1} can be trusted`)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "finds a file written anew after it was delivered, though one more shipment gave the server its new head",
    () =>
      Effect.gen(function* () {
        const { cwd, server, log, verify } = yield* delivered
        const added = { ...EventSamples.event(0), event_id: "added-later", parent_span_id: "f".repeat(16) }
        const all = [...log.events, { ...added, prev_hash: "", event_hash: "" }]
        const lines = TamperedLog.rewritten(all, cheaper)
        TamperedLog.replace(log, lines)
        TamperedLog.moveCursor(log, lines.slice(0, LENGTH))
        const shipped = yield* Runledger.run(["ship"], { cwd, env: { TELEMETRY_API_URL: server.url } })
        expect([shipped.code, shipped.stdout]).toEqual([0, expect.stringContaining("delivered")])
        const found = yield* verify()
        expect(found.code).toBe(3)
        expect(found.document).toMatchObject({
          problems: [],
          ...ofServer({
            found: true,
            problem: `line 2: the server received another content for event ${log.events[1]?.event_id}: the line was rewritten after it was delivered`,
          }),
        })
        expect(found.stderr).toContain("None of it can be trusted")
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "compares every page of a long run, events that came late and those that the server refused included",
    () =>
      Effect.gen(function* () {
        const { cwd, path } = yield* Runledger.workplace
        const { url } = yield* LiveServer.start()
        const many = Array.from({ length: 2300 }, (_, n) =>
          EventSamples.event(n, n === 0 ? EventSamples.created : undefined),
        )
        const log = yield* TamperedLog.write(path("runs"), many)
        const late = log.events.slice(5, 8)
        const inTime = log.events.filter((_event, index) => (index < 5 || index > 7) && index !== 1500)
        for (let at = 0; at < inTime.length; at += 500) {
          const some = at + 500 < inTime.length ? inTime.slice(at, at + 500) : [...inTime.slice(at), ...late]
          expect((yield* LiveServer.send("POST", `${url}/api/v1/ops`, operations(some))).status).toBe(200)
        }
        const verify = Runledger.run(["verify", log.directory, "--json"], { cwd, env: { TELEMETRY_API_URL: url } })
        const sound = yield* verify
        expect([sound.code, sound.stdout]).toEqual([0, expect.stringContaining('"compared_events": 2299')])
        const changed = TamperedLog.rewritten(log.events, (event, index) => (index === 2200 ? cheaper(event) : event))
        TamperedLog.replace(log, changed)
        TamperedLog.moveCursor(log, changed)
        const found = yield* verify
        expect([found.code, found.stdout]).toEqual([
          3,
          expect.stringContaining("line 2201: the server received another"),
        ])
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "says of a log in which a line was edited neither by cursor nor by server that what was acknowledged stands",
    () =>
      Effect.gen(function* () {
        const { cwd, server, log } = yield* delivered
        TamperedLog.replace(
          log,
          log.lines.map((line, index) =>
            index === 4 ? line.replace('"input_tokens":1500', '"input_tokens":1') : line,
          ),
        )
        const found = yield* Runledger.run(["verify", log.directory], { cwd, env: { TELEMETRY_API_URL: server.url } })
        expect([found.code, found.stdout]).toEqual([3, expect.stringContaining("line 5:")])
        expect(found.stdout).not.toContain("what was acknowledged stands")
        expect(found.stdout.match(/proves nothing here: the chain up to it is broken/g)).toHaveLength(2)
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "says of a run id that two runs folders used that the server holds two logs, not that a tail was cut",
    () =>
      Effect.gen(function* () {
        const { server, cwd, verify } = yield* delivered
        const others = events.slice(0, 7).map((event) => ({ ...event, event_id: `other-${event.event_id}` }))
        const other = yield* TamperedLog.write(nodePath.join(cwd, "elsewhere"), others)
        yield* LiveServer.send("POST", `${server.url}/api/v1/ops`, operations(other.events))
        const found = yield* verify()
        expect(found.code).toBe(3)
        expect(found.document).toMatchObject(
          ofServer({ problem: expect.stringMatching(/^the server holds two logs under this run id: 7 events/) }),
        )
        expect(found.stdout + found.stderr).not.toContain("tail was cut")
        expect(found.stderr).toContain("Its own lines stand as the server received them")
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("shows no control character of a log, and no secret of the server's address", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const evil = "run\u001b]0;owned\u0007\u009b2J"
      const log = yield* TamperedLog.write(
        path("runs"),
        events.map((event) => ({ ...event, run_id: evil })),
      )
      const { url } = yield* LiveServer.start()
      const plain = yield* Runledger.run(["verify", log.directory], { cwd, env: { TELEMETRY_API_URL: url } })
      expect([plain.code, plain.stdout]).toEqual([
        0,
        expect.stringContaining("has no event of run\ufffd]0;owned\ufffd\ufffd2J"),
      ])
      const json = yield* Runledger.run(["verify", log.directory, "--json"], { cwd, env: { TELEMETRY_API_URL: url } })
      expect(JSON.stringify(yield* Runledger.json(json.stdout))).toContain(JSON.stringify(evil).slice(1, -1))
      const secret = url.replace("http://", "http://ann:hunter2@")
      const hidden = yield* Runledger.run(["verify", log.directory, "--json"], {
        cwd,
        env: { TELEMETRY_API_URL: `${secret}/?key=hunter3#hunter4` },
      })
      expect(hidden.stdout).toContain(url)
      for (const { stdout, stderr } of [plain, json, hidden]) {
        expect(stdout + stderr).not.toMatch(CONTROLS)
        expect(stdout + stderr).not.toMatch(/hunter|ann:/)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("finds a log that was cut and went on otherwise, and names the line where it parts", () =>
    Effect.gen(function* () {
      const { log, verify } = yield* delivered
      const kept = log.events.slice(0, 20)
      const tail = TamperedLog.forgery(log.events).slice(20)
      TamperedLog.replace(log, [...log.lines.slice(0, kept.length), ...tail])
      const found = yield* verify("--local")
      expect(found.code).toBe(3)
      expect(found.document).toMatchObject({ problems: [expect.objectContaining({ line: 21 })] })
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "says of a server that does not answer, and of a missing cursor, that it was not compared, and exits 0",
    () =>
      Effect.gen(function* () {
        const { cwd, path } = yield* Runledger.workplace
        const log = yield* TamperedLog.write(path("runs"), events, "run-001", false)
        const ended = yield* Runledger.run(["verify", log.directory], { cwd })
        expect(ended.code).toBe(0)
        expect(ended.stdout).toContain("not compared with a cursor: there is none")
        expect(ended.stdout).toContain("not compared with a server: none answers at http://127.0.0.1:9")
        const offline = yield* Runledger.run(["verify", log.directory], { cwd, env: { TELEMETRY_OFFLINE: "true" } })
        expect(offline.stdout).toContain("not compared with a server: TELEMETRY_OFFLINE")
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("tells of dead letters and of events that the log itself reports as lost, which are no failure", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const gap = { type: "TELEMETRY_GAP" as const, payload: { dropped: 7, reason: "the disk was full" } }
      const log = yield* TamperedLog.write(path("runs"), [...events.slice(0, 5), EventSamples.event(5, gap)])
      const letter = {
        at: "2026-01-31T12:00:00.000Z",
        run_id: "run-001",
        op: "event",
        event_id: "e-1",
        status: 422,
        reason: "no such field",
        operation: null,
      } as const
      yield* Effect.promise(() => DeadLetterFile.make(nodePath.join(log.directory, DeadLetterFile.FILE)).add([letter]))
      const ended = yield* Runledger.run(["verify", log.directory, "--local"], { cwd })
      expect(ended.code).toBe(0)
      expect(ended.stdout).toContain("1 dead letter: refused by the server for good")
      expect(ended.stdout).toContain("7 events could not be recorded: the disk was full")
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
