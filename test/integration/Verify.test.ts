import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as DeadLetterFile from "../../layers/DeadLetterFile.js"
import * as LogAudit from "../../layers/LogAudit.js"
import { type Acknowledged, compare } from "../../src/domain/Acknowledged.js"
import type { ChainedEvent, EventBody } from "../../src/domain/Event.js"
import * as EventSamples from "../support/EventSamples.js"
import * as LiveServer from "../support/LiveServer.js"
import * as RunFolders from "../support/RunFolders.js"
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

const written = Effect.flatMap(RunFolders.temporary, (runsDir) => TamperedLog.write(runsDir, events))

interface Found {
  readonly lines: ReadonlyArray<number>
  readonly acknowledged: ReadonlyArray<Acknowledged>
}

/** What `verify` finds, in this process: the lines that it names, and how the log stands to its cursor. */
const check = (log: TamperedLog.Written): Effect.Effect<Found> =>
  Effect.gen(function* () {
    const { cursor } = yield* LogAudit.surroundings(log.file)
    const head = cursor.kind === "known" ? [{ source: "cursor" as const, lines: cursor.lines, hash: cursor.hash }] : []
    const audit = yield* LogAudit.audit(
      log.file,
      head.map(({ hash }) => hash),
    )
    return {
      lines: [...new Set(audit.problems.map(({ line }) => line))],
      acknowledged: head.map((one) => compare(one, audit)),
    }
  }).pipe(Effect.orDie)

const without = <A>(all: ReadonlyArray<A>, index: number): ReadonlyArray<A> => all.toSpliced(index, 1)

const CUT = /^the log is shorter than what the server acknowledged \(30 lines, head [0-9a-f]{64}\): its tail was cut$/
const REWRITTEN = /^the file was rewritten: line 30 is not the one the server acknowledged/

describe("verify finds and names", () => {
  it.scoped("nothing in a log that nobody touched", () =>
    Effect.gen(function* () {
      const log = yield* written
      expect(yield* check(log)).toMatchObject({
        lines: [],
        acknowledged: [{ lines: LENGTH, line: LENGTH, found: true, problem: null }],
      })
    }),
  )

  it.scoped("an edit of any line: a bit flipped at any place of the file", () =>
    Effect.gen(function* () {
      const log = yield* written
      const bytes = fs.readFileSync(log.file)
      let end = 0
      const ends = log.lines.map((line) => {
        end += Buffer.byteLength(line) + 1
        return end
      })
      const flips = [
        ...ends.flatMap((_end, line) => [0, 1, 40, 100, 300].map((step) => [(ends[line - 1] ?? 0) + step, 1] as const)),
        ...ends.map((end) => [end - 1, 1] as const),
        ...FastCheck.sample(FastCheck.tuple(FastCheck.nat(bytes.length - 1), FastCheck.integer({ min: 1, max: 255 })), {
          numRuns: 300,
          seed: 7,
        }),
      ]
      for (const [at, mask] of flips) {
        const edited = Buffer.from(bytes)
        edited[at] = (edited[at] ?? 0) ^ mask
        fs.writeFileSync(log.file, edited)
        const line = ends.findIndex((end) => at < end) + 1
        const { lines } = yield* check(log)
        expect([at, mask, lines]).toEqual([at, mask, expect.arrayContaining([line])])
      }
    }),
  )

  it.scoped("a removed line, by the one that follows it", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let index = 0; index < LENGTH - 1; index++) {
        TamperedLog.replace(log, without(log.lines, index))
        const found = yield* check(log)
        expect(found.lines).toContain(index + 1)
        expect(found.acknowledged[0]?.problem).toMatch(/line 30 is not .* which stands at line 29 now/)
      }
    }),
  )

  it.scoped("two neighbours that were swapped", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let index = 0; index < LENGTH - 1; index++) {
        const swapped = without(log.lines, index).toSpliced(index + 1, 0, log.lines[index] ?? "")
        TamperedLog.replace(log, swapped)
        expect((yield* check(log)).lines).toEqual(expect.arrayContaining([index + 1, index + 2]))
      }
    }),
  )

  it.scoped("a line inserted anywhere: copied from elsewhere, or forged so that it fits the line before it", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let index = 0; index < LENGTH; index++) {
        const before = log.events[index]
        if (before === undefined) throw new Error("no such event")
        const copied = log.lines[(index * 7) % LENGTH] ?? ""
        TamperedLog.replace(log, log.lines.toSpliced(index, 0, copied))
        expect((yield* check(log)).lines.length).toBeGreaterThan(0)
        const { line } = TamperedLog.forged(before, index + 1, before.event_hash)
        TamperedLog.replace(log, log.lines.toSpliced(index + 1, 0, line.trimEnd()))
        const found = yield* check(log)
        // Behind the last line a forged one only lengthens the log: what was acknowledged still stands.
        if (index < LENGTH - 1) expect(found.lines).toContain(index + 3)
      }
    }),
  )

  it.scoped("a tail cut at any line, by the cursor", () =>
    Effect.gen(function* () {
      const log = yield* written
      for (let kept = 0; kept < LENGTH; kept++) {
        TamperedLog.replace(log, log.lines.slice(0, kept))
        const found = yield* check(log)
        expect(found.lines).toEqual([])
        expect(found.acknowledged).toMatchObject([{ found: false, line: null, problem: expect.stringMatching(CUT) }])
      }
    }),
  )

  it.scoped("a whole file written anew with a chain that holds, by the cursor", () =>
    Effect.gen(function* () {
      const log = yield* written
      TamperedLog.replace(log, TamperedLog.forgery(log.events))
      const found = yield* check(log)
      expect(found.lines).toEqual([])
      expect(found.acknowledged).toMatchObject([{ found: false, problem: expect.stringMatching(REWRITTEN) }])
    }),
  )
})

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
        expect(found.document).toMatchObject(ofServer({ found: false, problem: expect.stringMatching(REWRITTEN) }))
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
        expect(found.document).toMatchObject(ofServer({ found: false, problem: expect.stringMatching(CUT) }))
        expect(found.stderr).toContain(`What stands before line ${kept + 1} can be trusted`)
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
      DeadLetterFile.make(nodePath.join(log.directory, DeadLetterFile.FILE)).add({
        at: "2026-01-31T12:00:00.000Z",
        run_id: "run-001",
        op: "event",
        event_id: "e-1",
        status: 422,
        reason: "no such field",
        operation: null,
      })
      const ended = yield* Runledger.run(["verify", log.directory, "--local"], { cwd })
      expect(ended.code).toBe(0)
      expect(ended.stdout).toContain("1 dead letter: refused by the server for good")
      expect(ended.stdout).toContain("7 events could not be recorded: the disk was full")
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
