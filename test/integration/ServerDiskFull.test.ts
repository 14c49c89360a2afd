import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"
import * as Disks from "../support/Disks.js"
import { ask, run, send } from "../support/LiveServer.js"

const BALLAST = 512 * 1024
/** Runs of which something was received in the last 30 seconds stay: of those that took long to write, some are quiet first. */
const UNTIL_QUIET = Schedule.spaced("1 second").pipe(Schedule.compose(Schedule.recurs(90)))
const LARGE = "x".repeat(20_000)

/** A server whose database is alone on a small disk. */
const onDisk = Effect.gen(function* () {
  const { folder } = yield* Effect.acquireRelease(
    Effect.sync(() => Disks.small(8192)),
    ({ remove }) => Effect.sync(remove),
  )
  const path = nodePath.join(folder, "s.sqlite")
  const store = yield* Layer.build(RunStoreSql.layer({ path, house: { ballastBytes: BALLAST } }))
  const { url } = yield* Effect.provide(Server.serve({ ...ServerSettings.defaults, port: 0 }), store)
  return { folder, url }
})

/** Writes until it is refused; how many were taken, and the refusal. */
const filled = (url: string) =>
  Effect.gen(function* () {
    for (let n = 0; n < 2000; n += 1) {
      const row = run({ event_id: `w${n}`, run_id: `w${n}`, status: "success", input_summary: LARGE })
      const answer = yield* send("POST", `${url}/api/v1/runs`, row)
      if (answer.status !== 201) return { taken: n, answer }
    }
    return yield* Effect.dieMessage("the disk never became full")
  })

describe.skipIf(!Disks.canMount())("a server on a full disk (as root; skipped where no disk may be mounted)", () => {
  it.scopedLive("does not say when to come back, shows a path of its own, stops reading, or loses what it took", () =>
    Effect.gen(function* () {
      const { url, folder } = yield* onDisk
      const { taken, answer } = yield* filled(url)
      expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "2"])
      expect(answer.json.detail).toContain("disk is full")
      expect(answer.text).not.toContain(folder)
      expect(taken).toBeGreaterThan(50)
      const ops = yield* send("POST", `${url}/api/v1/ops`, { ops: [{ op: "create", ...run({ event_id: "o" }) }] })
      expect([ops.status, ops.headers["retry-after"]]).toEqual([503, "2"])
      expect((yield* ask(`${url}/ready`)).status).toBe(503)
      expect((yield* ask(`${url}/health`)).json).toMatchObject({ status: "ok", integrity: "ok" })
      expect((yield* ask(`${url}/api/v1/maintenance`)).json).toMatchObject({ disk_full: true })
      const listed = yield* ask(`${url}/api/v1/runs?limit=1`)
      expect([listed.status, listed.headers["x-total-count"]]).toEqual([200, String(taken)])
      const exported = yield* ask(`${url}/api/v1/export`)
      expect(exported.text.trimEnd().split("\n").length).toBe(taken)
      const goal = { kind: "size", to_bytes: 2_000_000 }
      yield* send("POST", `${url}/api/v1/maintenance/prune`, { goal, dry_run: false }).pipe(
        Effect.tap(({ status }) => expect(status).toBe(200)),
        Effect.zipRight(ask(`${url}/ready`)),
        Effect.filterOrFail(({ status }) => status === 200),
        Effect.retry(UNTIL_QUIET),
      )
      expect((yield* send("POST", `${url}/api/v1/runs`, run({ event_id: "after" }))).status).toBe(201)
    }),
  )
})
