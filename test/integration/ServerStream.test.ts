import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"
import * as ChangeStream from "../support/ChangeStream.js"
import { ask, run, send, serveOver, start } from "../support/LiveServer.js"

const posted = (url: string, event_id: string, fields: Readonly<Record<string, unknown>> = {}) =>
  Effect.map(send("POST", `${url}/api/v1/runs`, run({ event_id, ...fields })), ({ status }) => expect(status).toBe(201))

const served = (path: string) =>
  Effect.gen(function* () {
    const store = yield* Layer.build(RunStoreSql.layer({ path }))
    return yield* Effect.provide(Server.serve({ ...ServerSettings.defaults, port: 0 }), store)
  })

const databaseFile = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return path.join(yield* fs.makeTempDirectoryScoped({ prefix: "runledger-stream-" }), "db.sqlite")
}).pipe(Effect.provide(NodeContext.layer))

describe("GET /api/v1/stream", () => {
  it.scopedLive("tells what is made and changed from now on, each run as GET gives it", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      yield* posted(url, "before")
      const stream = yield* ChangeStream.open(`${url}/api/v1/stream`)
      expect(stream.status).toBe(200)
      expect(stream.headers).toMatchObject({
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
      })
      expect((yield* stream.next).text).toMatch(/^retry: \d+\nid: \d+-[0-9a-f]{8}$/)
      yield* posted(url, "made", { output_summary: "two\nlines", error_summary: "\ud83d\u0000" })
      const made = yield* stream.event
      expect(made).toMatchObject({ event: "run", id: expect.stringMatching(/^\d+-[0-9a-f]{8}$/) })
      expect(made.data).toEqual((yield* ask(`${url}/api/v1/runs/made`)).json)
      yield* send("PATCH", `${url}/api/v1/runs/before`, { status: "success" })
      const changed = yield* stream.event
      expect(changed.data).toMatchObject({ event_id: "before", status: "success" })
      expect(Number.parseInt(changed.id ?? "", 10)).toBeGreaterThan(Number.parseInt(made.id ?? "", 10))
    }),
  )

  it.scopedLive("tells only what its filters let through", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const query = "job_type=llm_call&status=failed&parent_run_id=p&start_time_from=2026-01-01T00:00:00Z"
      const stream = yield* ChangeStream.open(`${url}/api/v1/stream?${query}`)
      yield* posted(url, "other-type", { parent_run_id: "p", status: "failure" })
      yield* posted(url, "other-parent", { job_type: "llm_call", parent_run_id: "q", status: "failure" })
      yield* posted(url, "wanted", { job_type: "llm_call", parent_run_id: "p", status: "failure" })
      expect((yield* stream.event).data.event_id).toBe("wanted")
      yield* posted(url, "later", { job_type: "llm_call", parent_run_id: "p", status: "running" })
      yield* send("PATCH", `${url}/api/v1/runs/later`, { status: "failure" })
      expect((yield* stream.event).data).toMatchObject({ event_id: "later", status: "failure" })
      for (const bad of ["status=nonsense", "created_after=yesterday"]) {
        expect((yield* ask(`${url}/api/v1/stream?${bad}`)).status, bad).toBe(400)
      }
    }),
  )

  it.scopedLive("goes on where it was left, over a restart, without missing a change", () =>
    Effect.gen(function* () {
      const path = yield* databaseFile
      const first = yield* Scope.make()
      const before = yield* Scope.extend(served(path), first)
      const stream = yield* ChangeStream.open(`${before.url}/api/v1/stream`)
      yield* posted(before.url, "seen")
      const { id = "" } = yield* stream.event
      yield* posted(before.url, "missed-1")
      yield* Scope.close(first, Exit.void)
      const { url } = yield* served(path)
      yield* posted(url, "missed-2")
      yield* send("PATCH", `${url}/api/v1/runs/seen`, { status: "success" })
      const resumed = yield* ChangeStream.open(`${url}/api/v1/stream`, { "last-event-id": id })
      const byQuery = yield* ChangeStream.open(`${url}/api/v1/stream?last_event_id=${id}`)
      for (const again of [resumed, byQuery]) {
        const told = [yield* again.event, yield* again.event, yield* again.event].map(({ data }) => data.event_id)
        expect(told).toEqual(["missed-1", "missed-2", "seen"])
      }
      yield* posted(url, "live")
      expect((yield* resumed.event).data.event_id).toBe("live")
    }),
  )

  it.scopedLive("catches up on far more changes than it looks at in one go, in order and without gaps", () =>
    Effect.gen(function* () {
      const { url } = yield* start()
      const stream = yield* ChangeStream.open(`${url}/api/v1/stream`)
      const { id = "" } = yield* stream.next
      const ids = Array.from({ length: 900 }, (_, n) => `e${String(n).padStart(4, "0")}`)
      yield* send(
        "POST",
        `${url}/api/v1/runs/batch`,
        ids.map((event_id, n) => run({ event_id, job_type: n % 2 === 0 ? "a" : "b" })),
      )
      const all = yield* ChangeStream.open(`${url}/api/v1/stream`, { "last-event-id": id })
      const told = yield* Effect.forEach(ids, () => Effect.map(all.event, ({ data }) => data.event_id))
      expect(told).toEqual(ids)
      const half = yield* ChangeStream.open(`${url}/api/v1/stream?job_type=b`, { "last-event-id": id })
      const some = yield* Effect.forEach(ids.slice(450), () => Effect.map(half.event, ({ data }) => data.event_id))
      expect(some).toEqual(ids.filter((_, n) => n % 2 === 1))
    }),
  )

  it.scopedLive("says so when it is asked to go on where this store has never been", () =>
    Effect.gen(function* () {
      const [{ url }, other] = [yield* start(), yield* start()]
      yield* posted(other.url, "elsewhere")
      yield* posted(url, "here")
      const foreign = yield* ChangeStream.open(`${other.url}/api/v1/stream?last_event_id=0`)
      const { id = "" } = yield* foreign.event
      for (const last of [id, "99999", "not-an-id"]) {
        const stream = yield* ChangeStream.open(`${url}/api/v1/stream`, { "last-event-id": last })
        const reset = yield* stream.event
        expect([last, reset.event, typeof reset.data.detail]).toEqual([last, "reset", "string"])
        const resumed = yield* ChangeStream.open(`${url}/api/v1/stream`, { "last-event-id": reset.id ?? "" })
        yield* posted(url, `after-${last}`)
        expect((yield* stream.event).data.event_id).toBe(`after-${last}`)
        expect((yield* resumed.event).data.event_id).toBe(`after-${last}`)
      }
    }),
  )

  it.scopedLive("opens no more streams than it may, and another when one has gone", () =>
    Effect.gen(function* () {
      const { url } = yield* start({ maxStreams: 2 })
      const leaving = yield* Scope.make()
      yield* ChangeStream.open(`${url}/api/v1/stream`)
      yield* Scope.extend(ChangeStream.open(`${url}/api/v1/stream`), leaving)
      const refused = yield* ask(`${url}/api/v1/stream`)
      expect([refused.status, Number(refused.headers["retry-after"]) > 0]).toEqual([503, true])
      expect(refused.json.detail).toEqual(expect.any(String))
      expect((yield* ask(`${url}/health`)).status).toBe(200)
      yield* Scope.close(leaving, Exit.void)
      const opened = ChangeStream.open(`${url}/api/v1/stream`).pipe(
        Effect.repeat({ until: ({ status }) => status === 200, times: 500 }),
      )
      expect((yield* opened).status).toBe(200)
    }),
  )

  it.scopedLive("holds no server up that is told to stop, not even while its reader reads nothing", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.extend(start(), scope)
      const reading = yield* ChangeStream.open(`${url}/api/v1/stream`)
      const stalled = yield* ChangeStream.open(`${url}/api/v1/stream?last_event_id=0`)
      yield* stalled.stall
      const large = Array.from({ length: 40 }, (_, n) =>
        run({ event_id: `e${n}`, output_summary: "x".repeat(300_000) }),
      )
      yield* send("POST", `${url}/api/v1/runs/batch`, large)
      yield* reading.event
      // A request in flight would have ten seconds to end; a stream has not.
      expect(yield* Effect.timeoutOption(Scope.close(scope, Exit.void), "8 seconds")).toEqual(Option.some(undefined))
      const ended = reading.next.pipe(Effect.repeat({ until: ({ event }) => event === "ended" }))
      expect((yield* ended).event).toBe("ended")
      expect(Exit.isFailure(yield* Effect.exit(ask(`${url}/health`)))).toBe(true)
    }),
  )

  it.scopedLive("ends, and is not a 500, when the store fails under it", () =>
    Effect.gen(function* () {
      let looks = 0
      const { url } = yield* serveOver((store) => ({
        changes: (filter, after) =>
          Effect.suspend(() => {
            looks += 1
            return looks === 1 ? store.changes(filter, after) : Effect.die(new Error("gone"))
          }),
      }))
      const stream = yield* ChangeStream.open(`${url}/api/v1/stream`)
      yield* stream.next
      yield* posted(url, "e-2")
      expect((yield* stream.event).event).toBe("ended")
    }),
  )
})
