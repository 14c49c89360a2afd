import { Worker } from "node:worker_threads"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as Database from "../../layers/RunStoreSqlDatabase.js"
import * as Reader from "../../layers/RunStoreSqlReader.js"
import * as ReaderSource from "../../layers/RunStoreSqlReaderSource.js"
import type { Asked, Start } from "../../layers/RunStoreSqlReaderThread.js"
import * as Reads from "../../layers/RunStoreSqlReads.js"
import { RunStore } from "../../services/RunStore.js"
import { call, run } from "../support/RunStores.js"
import { inFile } from "../support/StoreFile.js"

describe("the thread that reads", () => {
  const reading = <A, E>(use: (reader: Reader.Reader, path: string) => Effect.Effect<A, E>) =>
    inFile((store, path) =>
      Effect.gen(function* () {
        yield* store.insert([call("1")])
        return yield* Effect.scoped(Effect.flatMap(Reader.make(path), (reader) => use(reader, path)))
      }),
    )

  it.live("begins a read that was taken back while it waited, or does not answer the ones after it", () =>
    reading((reader) =>
      Effect.gen(function* () {
        const ended: Array<string> = []
        const ask = (name: string) =>
          Effect.tap(reader.ask("count", { filter: {} }), () => Effect.sync(() => ended.push(name)))
        const [first, second, third] = yield* Effect.all([ask("first"), ask("second"), ask("third")].map(Effect.fork))
        yield* Effect.yieldNow()
        if (second !== undefined) yield* Fiber.interrupt(second)
        for (const fiber of [first, third]) if (fiber !== undefined) expect(yield* Fiber.join(fiber)).toBe(1)
        expect(ended).toEqual(["first", "third"])
      }),
    ),
  )

  it.live("takes the process along when it dies, or does not come back for the next read", () =>
    Effect.gen(function* () {
      const dying = `const { parentPort } = require("node:worker_threads")
        let asked = 0
        parentPort.on("message", ({ id }) => {
          asked += 1
          if (asked === 2) process.exit(3)
          parentPort.postMessage({ id, got: asked })
        })`
      const reader = yield* Reader.make("", { program: () => Promise.resolve({ from: dying, eval: true }) })
      const count = reader.ask("count", { filter: {} })
      expect(yield* count).toBe(1)
      const [lost, next] = yield* Effect.all([Effect.either(count), Effect.either(count)], { concurrency: 2 })
      expect(lost).toMatchObject({
        _tag: "Left",
        left: { _tag: "ReaderError", message: expect.stringContaining("died") },
      })
      expect(next).toMatchObject({ _tag: "Right", right: 1 })
    }).pipe(Effect.scoped),
  )

  it.live("a page that is larger than the memory of a thread ends the thread, or the process", () =>
    inFile((store, path) =>
      Effect.gen(function* () {
        const summary = "x".repeat(60_000)
        const wide = Array.from({ length: 1500 }, (_, n) => run({ event_id: `w${n}`, output_summary: summary }))
        for (let at = 0; at < wide.length; at += 100) yield* store.insert(wide.slice(at, at + 100))
        const reader = yield* Reader.make(path, { memoryMib: 24 })
        const rows = (limit: number) =>
          Effect.map(
            reader.ask("page", { filter: {}, page: { limit, offset: 0 }, separator: "," }),
            (page) => page?.rows,
          )
        expect(yield* rows(1500)).toBe(1500)
        expect(yield* rows(2)).toBe(2)
      }).pipe(Effect.scoped),
    ),
  )

  it.live("works on for a client that has left, or does not begin what others wait for", () =>
    Effect.gen(function* () {
      const patient = `const { parentPort, workerData } = require("node:worker_threads")
        const takenBack = new Int32Array(workerData.takenBack)
        parentPort.on("message", ({ id, read }) => {
          while (read.asks.id === "endless" && takenBack[0] !== id) Atomics.wait(takenBack, 0, takenBack[0], 10)
          parentPort.postMessage(Atomics.load(takenBack, 0) === id ? { id, failed: "let go" } : { id, got: undefined })
        })`
      const reader = yield* Reader.make("", { program: () => Promise.resolve({ from: patient, eval: true }) })
      yield* reader.ask("tree", { id: "short" })
      const both = yield* Effect.all([1, 2].map(() => Effect.fork(reader.ask("tree", { id: "endless" }))))
      yield* Effect.yieldNow()
      expect(yield* reader.ask("metadata", {})).toBeUndefined()
      const waiting = yield* Effect.fork(reader.ask("tree", { id: "short" }))
      for (const fiber of both) yield* Fiber.interrupt(fiber)
      expect(yield* Fiber.join(waiting)).toBeUndefined()
    }).pipe(Effect.scoped),
  )

  it.live("lets any number of reads wait, or fails one of those that may", () =>
    Effect.gen(function* () {
      const patient = `const { parentPort, workerData } = require("node:worker_threads")
        const takenBack = new Int32Array(workerData.takenBack)
        parentPort.on("message", ({ id, read }) => {
          while (read.asks.id === "endless" && takenBack[0] !== id) Atomics.wait(takenBack, 0, takenBack[0], 10)
          parentPort.postMessage({ id, got: undefined })
        })`
      const reader = yield* Reader.make("", { program: () => Promise.resolve({ from: patient, eval: true }) })
      const both = yield* Effect.all([1, 2].map(() => Effect.fork(reader.ask("tree", { id: "endless" }))))
      yield* Effect.yieldNow()
      const waiting = yield* Effect.all(
        Array.from({ length: 256 }, () => Effect.fork(reader.ask("tree", { id: "short" }))),
      )
      yield* Effect.yieldNow()
      const refused = yield* Effect.flip(reader.ask("tree", { id: "short" }))
      expect(refused).toMatchObject({ _tag: "ReaderError", reason: "busy" })
      expect(yield* reader.ask("metadata", {})).toBeUndefined()
      for (const fiber of both) yield* Fiber.interrupt(fiber)
      for (const fiber of waiting) expect(yield* Fiber.join(fiber)).toBeUndefined()
    }).pipe(Effect.scoped),
  )

  it.live("the thread's own program does not look whether anybody still waits", () =>
    reading((_, path) =>
      Effect.gen(function* () {
        const takenBack = new SharedArrayBuffer(4)
        new Int32Array(takenBack)[0] = 7
        const { from, eval: isText } = yield* Effect.promise(ReaderSource.program)
        const told = yield* Effect.async<ReadonlyArray<unknown>>((resume) => {
          const worker = new Worker(from, {
            eval: isText,
            workerData: { path, takenBack } satisfies Start,
            execArgv: [],
          })
          const heard: Array<unknown> = []
          worker.on("message", (message) => {
            heard.push(message)
            if (heard.length === 2) resume(Effect.succeed(heard))
          })
          for (const id of [7, 8])
            worker.postMessage({ id, read: { kind: "count", asks: { filter: {} } } } satisfies Asked)
          return Effect.promise(() => worker.terminate())
        })
        expect(told).toEqual([
          { id: 7, failed: "nobody waits for this read any more" },
          { id: 8, got: 1 },
        ])
      }),
    ),
  )

  it.live("a read of many rows goes on to its end when nobody waits any more", () =>
    inFile((store, path) =>
      Effect.gen(function* () {
        for (let at = 0; at < 5000; at += 1000)
          yield* store.insert(
            Array.from({ length: 1000 }, (_, n) =>
              call(`${at + n}`, {
                parent_run_id: at + n === 0 ? null : "root",
                run_id: at + n === 0 ? "root" : `r${at + n}`,
              }),
            ),
          )
        let looks = 0
        const db = Database.open(path, 1024, () => {
          looks += 1
          return looks < 3
        })
        yield* Effect.addFinalizer(() => Effect.sync(db.close))
        const reads: ReadonlyArray<() => unknown> = [
          () =>
            Reads.answer(db, "page", {
              filter: { job_type: "llm_call", start_time_to: "1990-01-01T00:00:00.000Z" },
              page: { limit: 10 },
              separator: ",",
            }),
          () => Reads.answer(db, "page", { filter: {}, page: { limit: 1000 }, separator: "," }),
          () => Reads.answer(db, "count", { filter: { created_after: "2000-01-01T00:00:00.000Z" } }),
          () => Reads.answer(db, "stats", { groupBy: "agent_name", filter: {} }),
          () => Reads.answer(db, "tree", { id: "root" }),
        ]
        for (const [place, read] of reads.entries()) {
          looks = 0
          expect(read, String(place)).toThrow("nobody waits")
          expect(looks).toBe(3)
        }
      }).pipe(Effect.scoped),
    ),
  )

  it.live("dies of a read that fails, or leaves the one after it without an answer", () =>
    reading((reader) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          reader.ask("count", Object.assign(Object.create(null), { filter: { trace_id: {} } })),
        )
        expect(error._tag).toBe("ReaderError")
        expect(error.message).not.toContain("died")
        expect(yield* reader.ask("count", { filter: {} })).toBe(1)
      }),
    ),
  )

  it.live("waits without end for a database that is not there", () =>
    inFile((_, path) =>
      Effect.gen(function* () {
        const reader = yield* Reader.make(`${path}.missing`)
        const errors = yield* Effect.all(
          [1, 2].map(() => Effect.flip(reader.ask("count", { filter: {} }))),
          { concurrency: 2 },
        )
        for (const error of errors) expect(error.message).toContain("died")
      }).pipe(Effect.scoped),
    ),
  )

  it.live("keeps the log of the database open when the store is closed", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = (yield* Path.Path).join(yield* fs.makeTempDirectoryScoped(), "s.sqlite")
      yield* Effect.flatMap(RunStore, (store) =>
        Effect.zipRight(store.insert([call("1")]), store.stats("model", {})),
      ).pipe(Effect.provide(RunStoreSql.layer({ path })))
      expect(yield* fs.exists(`${path}-wal`)).toBe(false)
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer)),
  )
})
