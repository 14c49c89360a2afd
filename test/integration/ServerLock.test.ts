import { statSync, symlinkSync, writeFileSync } from "node:fs"
import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as RunStoreSqlCheck from "../../layers/RunStoreSqlCheck.js"
import * as ServerLock from "../../layers/ServerLock.js"
import { RunStore } from "../../services/RunStore.js"
import { run } from "../support/RunStores.js"

const place = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return path.join(yield* fs.makeTempDirectoryScoped({ prefix: "runledger-lock-" }), "store", "db.sqlite")
})

/** Another process that holds the lock. */
const holder = (dbPath: string) =>
  Effect.gen(function* () {
    const child = yield* Command.make("node", "--import", "tsx", "test/support/LockHolderMain.ts", dbPath).pipe(
      Command.start,
    )
    const said = yield* child.stdout.pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.runHead,
      Effect.flatten,
      Effect.timeout("60 seconds"),
    )
    expect(said).toBe("held")
    return child
  })

describe("ServerLock", () => {
  it.scopedLive("refuses a second server, and names the process and the address of the first", () =>
    Effect.gen(function* () {
      const dbPath = yield* place
      const first = yield* holder(dbPath)
      const error = yield* Effect.flip(ServerLock.hold(dbPath))
      expect(error._tag).toBe("RunStoreError")
      expect(error.message).toContain(String(first.pid))
      expect(error.message).toContain("http://127.0.0.1:4321")
      expect(error.message).toContain("--db")
      yield* ServerLock.hold(`${dbPath}-other`)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("lets nobody wait for the lock of a server that was killed", () =>
    Effect.gen(function* () {
      const dbPath = yield* place
      const first = yield* holder(dbPath)
      yield* first.kill("SIGKILL").pipe(Effect.ignore)
      yield* Effect.exit(first.exitCode)
      yield* ServerLock.hold(dbPath)
      const second = yield* Effect.flip(ServerLock.hold(dbPath))
      expect(second.message).toContain(String(process.pid))
      expect(second.message).not.toContain(String(first.pid))
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.live("is given back when its scope closes, and refuses one in the same process until then", () =>
    Effect.gen(function* () {
      const dbPath = yield* place
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* ServerLock.hold(dbPath)
          for (let n = 0; n < 3; n += 1)
            expect((yield* Effect.flip(ServerLock.hold(dbPath)))._tag).toBe("RunStoreError")
        }),
      )
      yield* ServerLock.hold(dbPath)
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("knows a database under each of its names", () =>
    Effect.gen(function* () {
      const dbPath = yield* place
      yield* ServerLock.hold(`${dbPath}-elsewhere`)
      writeFileSync(dbPath, "")
      symlinkSync(dbPath, `${dbPath}-link`)
      yield* ServerLock.hold(dbPath)
      expect((yield* Effect.flip(ServerLock.hold(`${dbPath}-link`)))._tag).toBe("RunStoreError")
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("knows a database by a link that was there before it", () =>
    Effect.gen(function* () {
      const dbPath = yield* place
      yield* ServerLock.hold(`${dbPath}-elsewhere`)
      symlinkSync(dbPath, `${dbPath}-link`)
      yield* ServerLock.hold(`${dbPath}-link`)
      expect(statSync(dbPath).mode & 0o777).toBe(0o600)
      expect((yield* Effect.flip(ServerLock.hold(dbPath)))._tag).toBe("RunStoreError")
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("keeps its files to their owner, and nobody from writing, reading or checking the database", () =>
    Effect.gen(function* () {
      const dbPath = yield* place
      yield* ServerLock.hold(dbPath)
      for (const file of [`${dbPath}.lock`, `${dbPath}.server`]) expect(statSync(file).mode & 0o777, file).toBe(0o600)
      const store = yield* Layer.build(RunStoreSql.layer({ path: dbPath }))
      const inserted = Effect.flatMap(RunStore, ({ insert }) => insert([run({ event_id: "e" })]))
      expect(yield* Effect.provide(inserted, store)).toEqual(["created"])
      expect((yield* RunStoreSqlCheck.check(dbPath)).problems).toEqual([])
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("says which folder it could not write in", () =>
    Effect.gen(function* () {
      const dbPath = yield* place
      const error = yield* Effect.flip(ServerLock.hold(`/proc/nowhere/${dbPath.split("/").at(-1)}`))
      expect(error.message).toContain("/proc/nowhere")
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
