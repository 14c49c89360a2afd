import * as fs from "node:fs"
import * as os from "node:os"
import * as nodePath from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as DeadLetterFile from "../../layers/DeadLetterFile.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore } from "../../services/RunStore.js"
import * as CanonicalJson from "../../src/domain/CanonicalJson.js"
import type { ChainedEvent } from "../../src/domain/Event.js"
import * as Project from "../../src/domain/Project.js"
import { type Script, type Step, script } from "../support/DeliveryScript.js"
import * as ManualClock from "../support/ManualClock.js"
import * as MortalProcess from "../support/MortalProcess.js"
import * as Story from "../support/Story.js"
import * as UnsteadyServer from "../support/UnsteadyServer.js"

const SEED = Config.option(Config.integer("RUNLEDGER_TEST_SEED"))
const RUNS = Config.integer("RUNLEDGER_TEST_RUNS").pipe(Config.withDefault(1000))

const memoryFolder = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir()

const temporary = Effect.acquireRelease(
  Effect.sync(() => fs.mkdtempSync(nodePath.join(memoryFolder, "runledger-interleavings-"))),
  (folder) => Effect.sync(() => fs.rmSync(folder, { recursive: true, force: true })),
)

/** A server with a store of its own, and a look into its file past everything that is ours. */
const serverIn = (folder: string, name: string) =>
  Effect.gen(function* () {
    const path = nodePath.join(folder, `${name}.sqlite`)
    const store = Context.get(yield* Layer.build(RunStoreSql.layer({ path })), RunStore)
    const server = yield* UnsteadyServer.serve(store)
    const database = yield* SqliteClient.make({ filename: path, readonly: true, disableWAL: true })
    const select = (table: string, runId: string) =>
      Effect.map(
        database.unsafe<Record<string, unknown>>(
          `SELECT * FROM ${table} WHERE event_id >= ? AND event_id < ? ORDER BY id`,
          [`${runId}-`, `${runId}.`],
        ),
        (rows) => rows.map(withoutReceipt),
      )
    const content = (runId: string) =>
      Effect.all({
        rows: Effect.map(select("runs", runId), byEventId),
        events: select("events", runId),
        waiting: select("pending_updates", runId),
      })
    return { server, content }
  })

type Server = Effect.Effect.Success<ReturnType<typeof serverIn>>

/** A row without when and in which order it came. Members of JSON have no order. */
const withoutReceipt = (row: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(row)
      .filter(([name]) => !/^id$|^updated_at$|^revision$|(received|seen)_at$/.test(name))
      .map(([name, value]) => [
        name,
        name.endsWith("_json") && typeof value === "string" ? CanonicalJson.stringify(JSON.parse(value)) : value,
      ]),
  )

const byEventId = (rows: ReadonlyArray<Record<string, unknown>>): ReadonlyArray<Record<string, unknown>> =>
  rows.toSorted((left, right) => (String(left["event_id"]) < String(right["event_id"]) ? -1 : 1))

type Content = Effect.Effect.Success<ReturnType<Server["content"]>>

/** Where two stores differ, said so that a counterexample can be read. */
const differences = (disturbed: Content, steady: Content): ReadonlyArray<string> =>
  (["rows", "events", "waiting"] as const).flatMap((table) => {
    const [mine, theirs] = [disturbed[table], steady[table]]
    const counts = mine.length === theirs.length ? [] : [`${mine.length} ${table}, not ${theirs.length}`]
    return [
      ...counts,
      ...theirs.flatMap((row, index) =>
        Object.keys(row)
          .filter((column) => mine[index]?.[column] !== row[column])
          .map((column) => `${table} ${index} ${column}: ${mine[index]?.[column]}, not ${row[column]}`),
      ),
    ]
  })

const realTurn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

const realMoment = Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve, 1)))

const MOST_ROUNDS = 300
const PATIENT_TURNS = 3
const QUICK_TURNS = 100
const MOST_TURNS = 5000

/** One life of a run: its processes one after the other, all on one folder. */
const life = (
  directory: string,
  runId: string,
  server: Server,
  time: ManualClock.ManualClock,
  { poison, steps }: Script,
) =>
  Effect.gen(function* () {
    const story = Story.make(runId)
    const serialOf = (eventId: string): number => Number.parseInt(eventId.slice(runId.length + 1), 16)
    const isPoison = (eventId: string): boolean => poison !== null && serialOf(eventId) % poison.every === 0
    const unsteady = UnsteadyServer.make(server.server, ({ event_id }) =>
      poison !== null && isPoison(event_id) ? poison.how : undefined,
    )
    const appended: Array<ChainedEvent> = []
    const dead: Array<MortalProcess.MortalProcess> = []
    const logFile = nodePath.join(directory, EventLogNdjson.FILE)
    const cursorFile = nodePath.join(directory, "telemetry.cursor")
    let oldCursor: Buffer | undefined
    let process = yield* MortalProcess.start(directory, unsteady.client)

    const isBusy = (): boolean => unsteady.busy() > 0 || process.busy() > 0

    /** Turns of the real event loop until nothing real is under way. */
    const settle = Effect.gen(function* () {
      yield* realTurn
      for (let turn = 0; turn < MOST_TURNS && isBusy(); turn++) yield* turn < QUICK_TURNS ? realTurn : realMoment
      yield* realTurn
    })

    /** Lets time pass, whenever nothing else happens, until the effect is through. */
    const pumped = <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(effect)
        for (let turn = 0; turn < MOST_TURNS; turn++) {
          yield* settle
          const exit = yield* Fiber.poll(fiber)
          if (Option.isSome(exit)) return yield* exit.value
          // What is waited for may be a file, of which nobody keeps count.
          if (turn >= PATIENT_TURNS) yield* realMoment
          time.advance(61_000)
        }
        return yield* Effect.dieMessage(`run ${runId}: it never came to an end`)
      })

    const crash = (remains: Uint8Array, cut: number, withOldCursor: boolean) =>
      Effect.gen(function* () {
        yield* process.kill
        yield* settle
        dead.push(process)
        const pending = appended.at(-1)
        // Before the first record a crash leaves zeros at most: other garbage is somebody else's file, which is refused.
        const foreign = pending === undefined && remains.some((byte) => byte !== 0)
        const half = pending === undefined ? "" : JSON.stringify(pending).slice(0, cut)
        fs.appendFileSync(logFile, cut % 2 === 0 && !foreign ? remains : half)
        if (withOldCursor && oldCursor !== undefined) fs.writeFileSync(cursorFile, oldCursor)
        if (fs.existsSync(cursorFile)) oldCursor = fs.readFileSync(cursorFile)
        process = yield* MortalProcess.start(directory, unsteady.client)
      })

    const perform = (one: Step) => {
      switch (one.do) {
        case "append":
          return Effect.forEach(one.choices, (choice) => process.record(story.next(choice, one.size)), {
            concurrency: 1,
          }).pipe(Effect.tap((events) => Effect.sync(() => appended.push(...events))))
        case "fault":
          return Effect.sync(() => unsteady.faults.push(one.fault))
        case "ship":
          return Effect.zipRight(
            Effect.sync(() => time.advance(one.millis)),
            Effect.forEach(Array.from({ length: one.turns }), () => realTurn),
          )
        case "flush":
          return pumped(process.telemetry.flush("1 seconds"))
        case "crash":
          return crash(one.torn, one.cut, one.oldCursor)
        case "leave":
          return Effect.flatMap(pumped(process.leave), () =>
            Effect.tap(MortalProcess.start(directory, unsteady.client), (next) =>
              Effect.sync(() => {
                process = next
              }),
            ),
          )
      }
    }

    yield* Effect.forEach(steps, perform, { discard: true })

    unsteady.faults.length = 0
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const { undelivered } = yield* pumped(process.telemetry.flush("10 minutes"))
      if (undelivered === 0) break
      time.advance(61_000)
      yield* settle
    }
    const delivery = yield* process.telemetry.delivery
    yield* pumped(process.leave)
    for (const corpse of dead) yield* corpse.bury
    return { appended, isPoison, undelivered: delivery.undelivered }
  })

const deadEvents = (directory: string): ReadonlyArray<string> => {
  const ids: Array<string> = []
  DeadLetterFile.forEach(nodePath.join(directory, DeadLetterFile.FILE), (letter) => {
    if (letter.op === "event") ids.push(letter.event_id)
  })
  return ids.toSorted()
}

/** What one process writes that nobody disturbs: every operation of every event, once, in order. */
const undisturbed = (server: Server, events: ReadonlyArray<ChainedEvent>, isPoison: (eventId: string) => boolean) =>
  Effect.promise(async () => {
    const operations = Project.project(events).filter(({ event_id }) => !isPoison(event_id))
    for (let from = 0; from < operations.length; from += 500) {
      const ops = operations.slice(from, from + 500)
      const response = await server.server.post("/api/v1/ops", JSON.stringify({ ops, client: {} }))
      expect(response.status).toBe(200)
      expect(JSON.stringify(await response.json())).not.toContain('"error"')
    }
  })

const once = (folder: string, disturbedServer: Server, steadyServer: Server, serial: number, plan: Script) =>
  Effect.gen(function* () {
    const runId = `run${serial}`
    const time = ManualClock.make(1_760_000_000_000)
    const directory = nodePath.join(folder, runId)
    fs.mkdirSync(directory)
    const { appended, isPoison, undelivered } = yield* Effect.withClock(
      life(directory, runId, disturbedServer, time, plan),
      time.clock,
    )
    yield* undisturbed(steadyServer, appended, isPoison)
    expect(undelivered).toBe(0)
    const { problems, lines } = yield* EventLogNdjson.verifyFile(nodePath.join(directory, EventLogNdjson.FILE))
    expect({ problems, lines }).toEqual({ problems: [], lines: appended.length })
    expect(differences(yield* disturbedServer.content(runId), yield* steadyServer.content(runId)).join("\n")).toBe("")
    expect(deadEvents(directory)).toEqual(
      appended
        .map(({ event_id }) => event_id)
        .filter(isPoison)
        .toSorted(),
    )
    fs.rmSync(directory, { recursive: true })
  }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, Logger.none)))

describe("Delivery", () => {
  it.live(
    "any interleaving of append, crash, reopen, ship, server error and duplicate delivery ends in the store of an undisturbed run",
    () =>
      Effect.gen(function* () {
        const seed = Option.getOrElse(yield* SEED, () => Effect.runSync(Random.nextIntBetween(0, 0x7fff_ffff)))
        const numRuns = yield* RUNS
        process.stderr.write(`Interleavings: ${numRuns} runs, RUNLEDGER_TEST_SEED=${seed}\n`)
        const folder = yield* temporary
        const disturbedServer = yield* serverIn(folder, "disturbed")
        const steadyServer = yield* serverIn(folder, "steady")
        let serial = 0
        yield* Effect.promise(() =>
          FastCheck.assert(
            FastCheck.asyncProperty(script, (plan) =>
              Effect.runPromise(once(folder, disturbedServer, steadyServer, ++serial, plan)),
            ),
            { seed, numRuns, endOnFailure: false },
          ),
        )
      }).pipe(Effect.scoped, Effect.provide(Reactivity.layer)),
    600_000,
  )
})
