import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import type { Event } from "../../src/domain/Event.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as EventSamples from "../support/EventSamples.js"
import * as PlainRun from "../support/PlainRun.js"
import * as RunFolders from "../support/RunFolders.js"
import * as WarningLog from "../support/WarningLog.js"

const append = (directory: string, ...events: ReadonlyArray<Event>) =>
  Effect.flatMap(EventLog, (log) => Effect.forEach(events, log.append)).pipe(Effect.provide(PlainRun.logIn(directory)))

const fileOf = (directory: string): string => nodePath.join(directory, EventLogNdjson.FILE)
const linesOf = (directory: string): ReadonlyArray<string> =>
  fs.readFileSync(fileOf(directory), "utf8").split("\n").slice(0, -1)
const tornFiles = (directory: string): ReadonlyArray<string> =>
  fs.readdirSync(directory).filter((name) => name.startsWith("events.torn-"))
const rewrite = (directory: string, lines: ReadonlyArray<string>): void =>
  fs.writeFileSync(fileOf(directory), lines.map((line) => `${line}\n`).join(""))

/** How many bytes this process has read so far, as the system counts them. */
const bytesRead = (): number => Number(/^rchar: (\d+)/.exec(fs.readFileSync("/proc/self/io", "utf8"))?.[1])

const three = [EventSamples.event(0, EventSamples.created), EventSamples.event(1), EventSamples.event(2)]

describe("EventLogNdjson", () => {
  it.scoped("a log is one canonical line an event, private, and goes on where an earlier process stopped", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, ...three)
      yield* append(folder, EventSamples.event(3))
      const report = yield* EventLogNdjson.verifyFile(fileOf(folder))
      expect(report).toMatchObject({ lines: 4, problems: [] })
      expect(fs.statSync(fileOf(folder)).mode & 0o777).toBe(0o600)
      expect(
        linesOf(folder).every(
          (line) => Object.keys(JSON.parse(line)).join() === Object.keys(JSON.parse(line)).sort().join(),
        ),
      ).toBe(true)
      const read = yield* Stream.runCollect(EventLogNdjson.readAll(fileOf(folder)))
      expect(Chunk.toReadonlyArray(read).map((event) => event.event_id)).toEqual(
        [0, 1, 2, 3].map((n) => EventSamples.event(n).event_id),
      )
      expect(tornFiles(folder)).toEqual([])
    }),
  )

  it.scoped("a last record cut at any byte is set aside, every line left parses, and the next record is kept", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, ...three)
      const whole = fs.readFileSync(fileOf(folder))
      const lastLine = Buffer.byteLength(linesOf(folder)[2] ?? "") + 1
      for (let cut = 1; cut <= lastLine; cut++) {
        const torn = whole.subarray(0, whole.length - cut)
        fs.writeFileSync(fileOf(folder), torn)
        const warnings = WarningLog.make()
        yield* append(folder, EventSamples.event(7)).pipe(Effect.provide(warnings.layer))
        const report = yield* EventLogNdjson.verifyFile(fileOf(folder))
        expect(report).toMatchObject({ lines: 3, problems: [] })
        expect(JSON.parse(linesOf(folder)[2] ?? "").event_id).toBe(EventSamples.event(7).event_id)
        const [kept, ...more] = tornFiles(folder)
        if (cut === lastLine) {
          expect([kept, warnings.warnings()]).toEqual([undefined, []])
          continue
        }
        expect([kept, more]).toEqual(["events.torn-1", []])
        const tail = whole.subarray(whole.length - lastLine, whole.length - cut)
        expect(fs.readFileSync(nodePath.join(folder, "events.torn-1")).equals(tail)).toBe(true)
        expect(warnings.warnings().join()).toContain("events.torn-1")
        fs.rmSync(nodePath.join(folder, "events.torn-1"))
      }
    }),
  )

  it.scoped("garbage behind the last record, with or without newlines, is set aside each time under a new name", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, ...three)
      for (const garbage of ["{", "garbage\nmore\n", "\u0000".repeat(5000), "{}\n", `${"x".repeat(300_000)}\n\n`]) {
        fs.appendFileSync(fileOf(folder), garbage)
        yield* append(folder, EventSamples.event(8)).pipe(Effect.provide(WarningLog.make().layer))
      }
      const report = yield* EventLogNdjson.verifyFile(fileOf(folder))
      expect(report).toMatchObject({ lines: 8, problems: [] })
      expect(tornFiles(folder).length).toBe(5)
    }),
  )

  it.scoped("a file that is no log is refused, and neither changed nor copied", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      const foreign = [
        "not a log\nat all",
        "not a log",
        '{"hello":"world"}\n',
        '{"event_hash":"12"}\n{"event_hash":"',
        "\n",
        '{"event_name":',
      ]
      for (const text of foreign) {
        fs.writeFileSync(fileOf(folder), text)
        const error = yield* Effect.flip(append(folder, ...three))
        expect([error._tag, error.operation, error.path]).toEqual(["EventLogError", "open", fileOf(folder)])
        expect(error.message).toMatch(/not a Runledger log, and nothing in it was touched; move it away/)
        expect(fs.readFileSync(fileOf(folder), "utf8")).toBe(text)
      }
      expect(tornFiles(folder)).toEqual([])
    }),
  )

  it.scoped("a first record cut anywhere is set aside, and the log begins anew", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, EventSamples.event(1))
      const whole = fs.readFileSync(fileOf(folder))
      for (let length = 1; length < whole.length; length += length < 20 ? 1 : 37) {
        fs.writeFileSync(fileOf(folder), whole.subarray(0, length))
        yield* append(folder, EventSamples.event(1)).pipe(Effect.provide(WarningLog.make().layer))
        expect(fs.readFileSync(fileOf(folder)).equals(whole)).toBe(true)
        expect(fs.readFileSync(nodePath.join(folder, "events.torn-1")).length).toBe(length)
        fs.rmSync(nodePath.join(folder, "events.torn-1"))
      }
    }),
  )

  it.scoped("a log whose first line is damaged goes on behind the lines that are not", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, ...three)
      rewrite(folder, linesOf(folder).with(0, "damaged"))
      yield* append(folder, EventSamples.event(3))
      expect((yield* EventLogNdjson.verifyFile(fileOf(folder))).problems).toMatchObject([{ line: 1 }])
      expect([linesOf(folder).length, tornFiles(folder)]).toEqual([4, []])
    }),
  )

  it.scoped.skipIf(!fs.existsSync("/proc/self/io"))(
    "a tail of 50,000 empty records is read a few times, not once a record",
    () =>
      Effect.gen(function* () {
        const folder = yield* RunFolders.temporary
        yield* append(folder, ...three)
        fs.appendFileSync(fileOf(folder), "garbage\n".repeat(50_000))
        const before = bytesRead()
        yield* append(folder, EventSamples.event(3)).pipe(Effect.provide(WarningLog.make().layer))
        expect(bytesRead() - before).toBeLessThan(20 * 400_000)
        expect(yield* EventLogNdjson.verifyFile(fileOf(folder))).toMatchObject({ lines: 4, problems: [] })
        expect(fs.statSync(nodePath.join(folder, "events.torn-1")).size).toBe(400_000)
      }),
  )

  it.scoped("verify names the line of an edit, a removal, a swap, an insertion and a cut", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, ...three, EventSamples.event(3), EventSamples.event(4, EventSamples.completed))
      const lines = linesOf(folder)
      const at = (index: number): string => lines[index] ?? ""
      const blamed = (changed: ReadonlyArray<string>) => {
        rewrite(folder, changed)
        return Effect.map(EventLogNdjson.verifyFile(fileOf(folder)), ({ problems }) => [
          ...new Set(problems.map(({ line }) => line)),
        ])
      }
      expect(yield* blamed(lines)).toEqual([])
      expect(yield* blamed(lines.with(1, at(1).replace("1500", "1")))).toEqual([2])
      expect(yield* blamed(lines.toSpliced(2, 1))).toEqual([3, 4])
      expect(yield* blamed([at(0), at(2), at(1), at(3), at(4)])).toEqual([2, 3, 4])
      expect(yield* blamed(lines.toSpliced(2, 0, at(0)))).toContain(3)
      expect(yield* blamed(lines.with(2, ""))).toEqual([3])
      fs.writeFileSync(fileOf(folder), Buffer.concat([Buffer.from(`${at(0)}\n`), Buffer.from([0xff, 0x0a])]))
      expect((yield* EventLogNdjson.verifyFile(fileOf(folder))).problems).toEqual([
        { line: 2, problem: "is not UTF-8" },
      ])
      fs.writeFileSync(fileOf(folder), `${at(0)}\n${at(1).slice(0, 40)}`)
      const cut = yield* EventLogNdjson.verifyFile(fileOf(folder))
      expect(cut).toMatchObject({ lines: 1, problems: [{ line: 2, problem: expect.stringContaining("cut off") }] })
    }),
  )

  it.scoped("readers leave damaged lines out with a warning and do not stop there", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, ...three)
      rewrite(folder, linesOf(folder).with(1, "damaged"))
      const warnings = WarningLog.make()
      const events = yield* Stream.runCollect(EventLogNdjson.readAll(fileOf(folder))).pipe(
        Effect.provide(warnings.layer),
      )
      expect(Chunk.size(events)).toBe(2)
      expect(warnings.warnings().join()).toContain("line 2")
      yield* Effect.flatMap(EventLog, (log) => log.read({ offset: 0, lines: 0, hash: GENESIS_HASH }, 1_000_000)).pipe(
        Effect.map((slice) => expect([slice.events.length, slice.end.lines]).toEqual([2, 3])),
        Effect.provide(PlainRun.logIn(folder)),
        Effect.provide(WarningLog.make().layer),
      )
    }),
  )

  it.scoped("T13 a log that cannot be opened says so with its path and the next step, also as root", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      const failing = (directory: string) => Effect.flip(append(directory, EventSamples.event(0)))
      fs.mkdirSync(fileOf(folder))
      expect(yield* failing(folder)).toMatchObject({
        operation: "open",
        path: fileOf(folder),
        message: expect.stringContaining("folder"),
      })
      const underFile = nodePath.join(folder, "file")
      fs.writeFileSync(underFile, "")
      expect((yield* failing(underFile)).message).toMatch(/ENOTDIR/)
      expect((yield* failing(nodePath.join(folder, "absent"))).message).toMatch(/does not exist/)
      const linked = nodePath.join(folder, "linked")
      fs.mkdirSync(linked)
      fs.symlinkSync("/dev/null", fileOf(linked))
      expect((yield* failing(linked)).message).toMatch(/link/)
    }),
  )

  it.scoped("an append after the log's scope closed fails and writes into nobody's file", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      const log = yield* EventLog.pipe(Effect.provide(PlainRun.logIn(folder)))
      const other = fs.openSync(nodePath.join(folder, "other"), "a+")
      const error = yield* Effect.flip(log.append(EventSamples.event(0)))
      expect(error.message).toContain("closed")
      expect(fs.fstatSync(other).size).toBe(0)
      fs.closeSync(other)
    }),
  )

  it.scoped("a cursor survives the process; one that does not fit the log is ignored with a warning", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      const cursor = nodePath.join(folder, "telemetry.cursor")
      const acknowledged = Effect.flatMap(EventLog, (log) => log.acknowledged).pipe(
        Effect.provide(PlainRun.logIn(folder)),
      )
      const start = { offset: 0, lines: 0, hash: GENESIS_HASH }
      yield* append(folder, ...three)
      const head = yield* Effect.flatMap(EventLog, (log) => Effect.tap(log.head, log.acknowledge)).pipe(
        Effect.provide(PlainRun.logIn(folder)),
      )
      expect(yield* acknowledged).toEqual(head)
      expect(fs.statSync(cursor).mode & 0o777).toBe(0o600)
      const wrong = [
        JSON.stringify({ ...head, offset: head.offset + 1 }),
        JSON.stringify({ ...head, offset: head.offset - 1 }),
        JSON.stringify({ ...head, hash: GENESIS_HASH }),
        JSON.stringify({ ...head, lines: 7 }),
        "garbage",
        "",
      ]
      for (const text of wrong) {
        fs.writeFileSync(cursor, text)
        const warnings = WarningLog.make()
        expect(yield* acknowledged.pipe(Effect.provide(warnings.layer))).toEqual(start)
        expect(warnings.warnings().join()).toContain("telemetry.cursor")
      }
    }),
  )
})
