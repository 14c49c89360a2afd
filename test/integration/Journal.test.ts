import * as fs from "node:fs"
import * as os from "node:os"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import * as EventSamples from "../support/EventSamples.js"
import * as PlainRun from "../support/PlainRun.js"
import * as WarningLog from "../support/WarningLog.js"

const memoryFolder = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(nodePath.join(memoryFolder, "runledger-journal-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true })),
)

const RECORDS = 6
const SUSPECT = 3
const NEXT = EventSamples.event(900)

/** Opens the log of a folder, appends the given records, and closes it. */
const appendIn = (folder: string, numbers: ReadonlyArray<number>) =>
  Effect.flatMap(EventLog, (log) => Effect.forEach(numbers, (n) => log.append(EventSamples.event(n)))).pipe(
    Effect.provide(PlainRun.logIn(folder)),
  )

/** The bytes of a log of {@link RECORDS} records. */
const sample = (folder: string) =>
  Effect.map(
    appendIn(
      folder,
      Array.from({ length: RECORDS }, (_, n) => n),
    ),
    () => fs.readFileSync(nodePath.join(folder, EventLogNdjson.FILE)),
  )

const lineEnds = (bytes: Buffer): ReadonlyArray<number> =>
  [...bytes.keys()].filter((at) => bytes[at] === 0x0a).map((at) => at + 1)

const tornFiles = (folder: string): ReadonlyArray<string> =>
  fs.readdirSync(folder).filter((name) => name.startsWith("events.torn-"))

/**
 * Opens a log that holds these bytes and appends one more record: what was whole must be there to the byte, the new record
 * behind it, and what was torn in a file of its own. Says what is wrong.
 */
const recovery = (folder: string, bytes: Buffer, whole: number) =>
  Effect.gen(function* () {
    fs.mkdirSync(folder)
    const file = nodePath.join(folder, EventLogNdjson.FILE)
    fs.writeFileSync(file, bytes)
    yield* appendIn(folder, [900])
    const after = fs.readFileSync(file)
    const added = JSON.parse(after.subarray(whole).toString("utf8"))
    const { problems } = yield* EventLogNdjson.verifyFile(file)
    const torn = Buffer.concat(tornFiles(folder).map((name) => fs.readFileSync(nodePath.join(folder, name))))
    fs.rmSync(folder, { recursive: true })
    return [
      ...(after.subarray(0, whole).equals(bytes.subarray(0, whole)) ? [] : ["an earlier record is not what it was"]),
      ...(added.event_id === NEXT.event_id ? [] : ["the next record is not there"]),
      ...(problems.length === 0 ? [] : ["the chain does not verify"]),
      ...(torn.equals(bytes.subarray(whole)) ? [] : ["what was torn was not kept"]),
    ]
  })

const garbage: Readonly<Record<string, (sample: Buffer) => Buffer>> = {
  "random bytes": () => Buffer.from(Array.from({ length: 997 }, (_, n) => (n * 7919 + 13) % 251)),
  "random bytes with newlines": () => Buffer.from(Array.from({ length: 997 }, (_, n) => (n * 31) % 64)),
  "half a line": (log) => log.subarray(0, 300),
  "half a line and a newline": (log) => Buffer.concat([log.subarray(0, 300), Buffer.from("\n")]),
  NULs: () => Buffer.alloc(4096),
  "a line of JSON that is no event": () => Buffer.from('{"hello":"world"}\n'),
  "several of them": () => Buffer.from('{"hello":"world"}\n[]\n"text"\n12\nnull\n'),
  "empty lines": () => Buffer.from("\n\n\n"),
  "half a character": () => Buffer.from([0x7b, 0x22, 0xe2, 0x82]),
  "more than is read at once": () => Buffer.alloc(300_000, 0x78),
}

describe("The journal", () => {
  it.scopedLive(
    "a tail cut at any byte of the last three records costs no earlier record and not the next one, and is kept",
    () =>
      Effect.gen(function* () {
        const root = yield* temporary
        const bytes = yield* sample(root)
        const ends = lineEnds(bytes)
        const start = ends[RECORDS - SUSPECT - 1] ?? 0
        const wrong: Array<string> = []
        for (let cut = start; cut <= bytes.length; cut++) {
          const whole = Math.max(...ends.filter((end) => end <= cut))
          const found = yield* recovery(nodePath.join(root, `cut-${cut}`), bytes.subarray(0, cut), whole)
          wrong.push(...found.map((what) => `cut at byte ${cut}: ${what}`))
        }
        expect(bytes.length - start).toBeGreaterThan(SUSPECT * 500)
        expect(wrong).toEqual([])
      }).pipe(Effect.provide(WarningLog.make().layer)),
  )

  for (const [name, make] of Object.entries(garbage)) {
    it.scopedLive(`${name} at the end cost no earlier record and not the next one, and are kept`, () =>
      Effect.gen(function* () {
        const root = yield* temporary
        const bytes = yield* sample(root)
        const dirty = Buffer.concat([bytes, make(bytes)])
        expect(yield* recovery(nodePath.join(root, "run"), dirty, bytes.length)).toEqual([])
      }).pipe(Effect.provide(WarningLog.make().layer)),
    )
  }

  it.scopedLive("each torn tail of a log is kept in a file of its own and warned of", () =>
    Effect.gen(function* () {
      const root = yield* temporary
      yield* sample(root)
      const file = nodePath.join(root, EventLogNdjson.FILE)
      const warnings = WarningLog.make()
      for (const tail of ["first", "second", "third"]) {
        fs.appendFileSync(file, tail)
        yield* Effect.provide(appendIn(root, [900]), warnings.layer)
      }
      expect(tornFiles(root).map((name) => fs.readFileSync(nodePath.join(root, name), "utf8"))).toEqual([
        "first",
        "second",
        "third",
      ])
      expect(warnings.warnings()).toHaveLength(3)
      expect(yield* EventLogNdjson.verifyFile(file)).toMatchObject({ lines: RECORDS + 3, problems: [] })
    }),
  )
})
