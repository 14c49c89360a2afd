import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { VERSION } from "../../src/domain/Version.js"
import { ask, run, send } from "../support/LiveServer.js"

const Package = Schema.parseJson(Schema.Struct({ version: Schema.String }))

/** A server in a process of its own, and the address that it says it listens at. */
const spawned = (dbPath: string) =>
  Effect.gen(function* () {
    const child = yield* Command.make("node", "--import", "tsx", "test/support/ServeMain.ts").pipe(
      Command.env({ TELEMETRY_DB_PATH: dbPath, TELEMETRY_API_PORT: "0" }),
      Command.start,
    )
    const said = yield* child.stdout.pipe(
      Stream.decodeText(),
      Stream.splitLines,
      Stream.filter((line) => line.includes("Serving http")),
      Stream.runHead,
      Effect.flatten,
      Effect.timeout("60 seconds"),
    )
    return { child, url: /http:\/\/\S+/.exec(said)?.[0] ?? "" }
  })

describe("Server: as a process", () => {
  it.scopedLive("keeps what it acknowledged when it is killed, and stops cleanly when it is told to", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const dbPath = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "runledger-process-" }), "db.sqlite")
      const first = yield* spawned(dbPath)
      for (let n = 0; n < 20; n += 1) {
        expect((yield* send("POST", `${first.url}/api/v1/runs`, run({ event_id: `e${n}` }))).status).toBe(201)
      }
      yield* first.child.kill("SIGKILL")
      const second = yield* spawned(dbPath)
      expect((yield* ask(`${second.url}/api/v1/runs?run_id=run-001`)).json).toHaveLength(20)
      yield* second.child.kill("SIGTERM")
      const ended = yield* second.child.exitCode.pipe(Effect.timeout("20 seconds"), Effect.exit)
      expect(String(ended)).not.toContain("TimeoutException")
      expect(yield* fs.exists(`${dbPath}-wal`)).toBe(false)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.effect("calls itself by the version of the package", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const manifest = yield* Schema.decodeUnknown(Package)(yield* fs.readFileString("package.json"))
      expect(VERSION).toBe(manifest.version)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
