import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as DeadLetterFile from "../../layers/DeadLetterFile.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import * as CanonicalJson from "../../src/domain/CanonicalJson.js"
import type { DeadLetter } from "../../src/domain/DeadLetter.js"
import { GENESIS_HASH } from "../../src/domain/Ids.js"
import * as EventSamples from "../support/EventSamples.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import * as PlainRun from "../support/PlainRun.js"
import * as RunFolders from "../support/RunFolders.js"
import { flush, http } from "../support/Shipping.js"
import * as WarningLog from "../support/WarningLog.js"

const START = { offset: 0, lines: 0, hash: GENESIS_HASH }

const fileOf = (folder: string): string => nodePath.join(folder, EventLogNdjson.FILE)

const append = (folder: string, ...numbers: ReadonlyArray<number>) =>
  Effect.flatMap(EventLog, (log) => Effect.forEach(numbers, (n) => log.append(EventSamples.event(n)))).pipe(
    Effect.provide(PlainRun.logIn(folder)),
  )

const NEWER_ID = EventSamples.event(777).event_id

/** Appends what a newer version may: a whole record of the chain, of a type that this one does not know. */
const appendNewer = (folder: string) =>
  Effect.gen(function* () {
    const { hash } = yield* Effect.flatMap(EventLog, (log) => log.head).pipe(Effect.provide(PlainRun.logIn(folder)))
    const record = { ...EventSamples.event(777), type: "RUN_TELEPORTED", prev_hash: hash }
    const event_hash = CanonicalJson.sha256Hex(CanonicalJson.stringify(record))
    fs.appendFileSync(fileOf(folder), `${CanonicalJson.stringify({ ...record, event_hash })}\n`)
    return event_hash
  })

const lettersOf = (folder: string): ReadonlyArray<DeadLetter> => {
  const letters: Array<DeadLetter> = []
  DeadLetterFile.forEach(nodePath.join(folder, DeadLetterFile.FILE), (letter) => letters.push(letter))
  return letters
}

/** Delivers what the log holds behind its cursor: what came of it, and what was warned of. */
const ship = (server: OpsRecorder.OpsRecorder, folder: string) =>
  Effect.gen(function* () {
    const warnings = WarningLog.make()
    const found = yield* Effect.gen(function* () {
      const log = yield* EventLog
      const delivery = yield* flush("20 seconds")
      return { delivery, log }
    }).pipe(
      Effect.provide(http(server.url).pipe(Layer.provideMerge(PlainRun.logIn(folder)))),
      Effect.provide(warnings.layer),
    )
    return { ...found.delivery, warned: warnings.warnings().join("\n") }
  })

const eventIds = (server: OpsRecorder.OpsRecorder): ReadonlyArray<string> =>
  server.applied.filter(({ op }) => op === "event").map(({ event_id }) => event_id)

const ids = (...numbers: ReadonlyArray<number>): ReadonlyArray<string> =>
  numbers.map((n) => EventSamples.event(n).event_id)

describe("Lines of a log that are no events", () => {
  it.scopedLive("in the middle: each becomes a dead letter that names its line, and the others are delivered", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const folder = yield* RunFolders.temporary
      yield* append(folder, 0, 1)
      yield* appendNewer(folder)
      fs.appendFileSync(fileOf(folder), "damaged\n")
      fs.appendFileSync(fileOf(folder), Buffer.from([0xff, 0x0a]))
      const whole = fs.readFileSync(fileOf(folder))
      const rest = yield* RunFolders.temporary
      yield* append(rest, 2, 3)
      fs.writeFileSync(fileOf(folder), Buffer.concat([whole, fs.readFileSync(fileOf(rest))]))

      const first = yield* ship(server, folder)
      expect(first).toMatchObject({ delivered: 4, rejected: 3, undelivered: 0 })
      expect(eventIds(server)).toEqual(ids(0, 1, 2, 3))
      expect(lettersOf(folder)).toMatchObject([
        { event_id: NEWER_ID, op: "event", status: null, reason: expect.stringMatching(/^line 3 is not an event/) },
        { event_id: "line-4", reason: "line 4 is not JSON" },
        { event_id: "line-5", reason: "line 5 is not UTF-8" },
      ])
      for (const line of ["line 3", "line 4", "line 5"]) expect(first.warned).toContain(line)

      const requests = server.requests.length
      expect(yield* ship(server, folder)).toMatchObject({ delivered: 0, rejected: 0, undelivered: 0, warned: "" })
      expect(server.requests.slice(requests).flatMap(({ ops }) => ops)).toEqual([])
      expect(lettersOf(folder)).toHaveLength(3)
    }),
  )

  it.scopedLive("at the end: the cursor fits the log, so that nothing is sent a second time", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const folder = yield* RunFolders.temporary
      yield* append(folder, 0, 1)
      const hash = yield* appendNewer(folder)
      expect(yield* ship(server, folder)).toMatchObject({ delivered: 2, rejected: 1, undelivered: 0 })
      const cursor: unknown = JSON.parse(fs.readFileSync(nodePath.join(folder, "telemetry.cursor"), "utf8"))
      expect(cursor).toMatchObject({ lines: 3, hash })
      const requests = server.requests.length
      expect(yield* ship(server, folder)).toMatchObject({ delivered: 0, rejected: 0, undelivered: 0, warned: "" })
      expect(server.requests.length).toBe(requests)
      yield* append(folder, 2)
      expect(yield* ship(server, folder)).toMatchObject({ delivered: 1, rejected: 0, warned: "" })
      expect(eventIds(server)).toEqual(ids(0, 1, 2))
      expect((yield* EventLogNdjson.verifyFile(fileOf(folder))).problems).toMatchObject([{ line: 3 }])
    }),
  )

  it.scoped("wherever a slice ends, its end is a place that the log believes again", () =>
    Effect.gen(function* () {
      const folder = yield* RunFolders.temporary
      yield* append(folder, 0)
      yield* appendNewer(folder)
      yield* append(folder, 1)
      const lines = fs.readFileSync(fileOf(folder), "utf8").split("\n").slice(0, -1)
      fs.writeFileSync(
        fileOf(folder),
        `${lines
          .flatMap((line) => [line, "damaged", "twice"])
          .slice(0, -2)
          .join("\n")}\n`,
      )
      const warnings = WarningLog.make()
      let from = START
      let misfits = 0
      for (let line = 1; line <= 7; line++) {
        const slice = yield* Effect.flatMap(EventLog, (log) => log.read(from, 1)).pipe(
          Effect.tap(({ end }) => Effect.flatMap(EventLog, (log) => log.acknowledge(end))),
          Effect.provide(PlainRun.logIn(folder)),
        )
        expect(slice.events.length + slice.misfits.length).toBe(1)
        misfits += slice.misfits.length
        from = yield* Effect.flatMap(EventLog, (log) => log.acknowledged).pipe(
          Effect.provide(PlainRun.logIn(folder)),
          Effect.provide(warnings.layer),
        )
        expect(from).toEqual(slice.end)
        expect(from.lines).toBe(line)
      }
      expect([misfits, warnings.warnings()]).toEqual([5, []])
    }),
  )
})
