import type { PlatformError } from "@effect/platform/Error"
import { expect, it } from "@effect/vitest"
import type * as Effect from "effect/Effect"
import type { RunStoreError } from "../../services/RunStore.js"
import type { ServerError } from "../../src/server/ServerError.js"
import { type PlainClient, run } from "./PlainClient.js"

/** Runs a test against a live server of a new store. */
export type Over = (
  use: (client: PlainClient) => Promise<void>,
) => Effect.Effect<void, RunStoreError | ServerError | PlatformError>

const ISSUE = { loc: expect.any(Array), msg: expect.any(String), type: expect.any(String) }

/** What writes of a plain client do, code by code. */
export const writes = (over: Over): void => {
  it.live("POST: records a run twice, or takes one that is not whole", () =>
    over(async ({ post, get, ask, status }) => {
      const whole = run("e-1", {
        product: "p",
        metrics_json: { total_tokens: 3 },
        unknown_field: 1,
        status: "completed",
      })
      const created = await post("/api/v1/runs", whole)
      expect([created.status, created.json]).toEqual([201, { status: "created", event_id: "e-1", run_id: "run-e-1" }])
      const again = await post("/api/v1/runs", { ...whole, product: "other" })
      expect([again.status, again.json]).toMatchObject([
        200,
        { status: "duplicate", event_id: "e-1", message: expect.any(String) },
      ])
      const kept = (await get("/api/v1/runs/e-1")).json
      expect(kept).toMatchObject({ product: "p", status: "success", duration_ms: 0, end_time: null, api_posted: false })
      expect(kept).not.toHaveProperty("unknown_field")
      const { start_time: _, ...without } = run("e-2")
      const refused = await post("/api/v1/runs", without)
      expect([refused.status, refused.json.detail[0]]).toEqual([422, { ...ISSUE, loc: ["body", "start_time"] }])
      for (const bad of [
        { start_time: "2026-01-31T12:00:00" },
        { status: "nonsense" },
        { items_failed: -1 },
        { duration_ms: 1.5 },
        { event_id: "" },
        { event_id: "x".repeat(256) },
        { metrics_json: [] },
      ]) {
        expect(await status("POST", "/api/v1/runs", { json: run("e-3", bad) }), JSON.stringify(bad)).toBe(422)
      }
      expect(await status("POST", "/api/v1/runs", { text: "{" })).toBe(400)
      const typed = await ask("POST", "/api/v1/runs", { json: run("e-4"), headers: { "content-type": "text/plain" } })
      expect([typed.status, typed.json]).toEqual([415, { detail: expect.any(String) }])
      expect(await status("GET", "/api/v1/runs/e-4")).toBe(404)
      expect((await get("/api/v1/metadata")).json).toMatchObject({
        agent_names: ["a"],
        job_types: ["launch"],
        counts: { agent_names: 1, job_types: 1 },
      })
    }),
  )

  it.live("POST batch: one bad run harms its neighbours", () =>
    over(async ({ post, ids }) => {
      const rows = [run("b-1"), { event_id: "bad" }, run("b-2"), run("b-1")]
      const bare = await post("/api/v1/runs/batch", rows)
      expect([bare.status, bare.json]).toEqual([
        200,
        { inserted: 2, duplicates: 1, errors: [expect.stringMatching(/^bad: /)], total: 4 },
      ])
      const object = await post("/api/v1/runs/batch", { runs: [run("b-1"), run("b-3")] })
      expect([object.status, object.json]).toEqual([201, { inserted: 1, duplicates: 1, errors: [], total: 2 }])
      expect([...(await ids(""))].sort()).toEqual(["b-1", "b-2", "b-3"])
      expect((await post("/api/v1/runs/batch", { nothing: 1 })).status).toBe(422)
      expect(
        (
          await post(
            "/api/v1/runs/batch",
            Array.from({ length: 1001 }, (_, n) => run(`x${n}`)),
          )
        ).status,
      ).toBe(422)
      expect((await post("/api/v1/runs/batch", [])).json).toMatchObject({ total: 0 })
    }),
  )

  it.live("PATCH: changes more, or less, than it says", () =>
    over(async ({ post, patch, get }) => {
      await post("/api/v1/runs", run("p-1", { context_json: { a: 1 }, git_commit_author: "before" }))
      const changed = await patch("/api/v1/runs/p-1", { status: "completed", duration_ms: 5, context_json: { b: 2 } })
      expect([changed.status, changed.json.updated]).toEqual([200, true])
      expect([...changed.json.fields_updated].sort()).toEqual(["context_json", "duration_ms", "status"])
      const after = (await get("/api/v1/runs/p-1")).json
      expect(after).toMatchObject({
        status: "success",
        context_json: { b: 2 },
        git_commit_author: "before",
        updated_at: expect.any(String),
      })
      const back = await patch("/api/v1/runs/p-1", { status: "running" })
      expect([back.status, back.json]).toMatchObject([200, { updated: false, message: expect.any(String) }])
      expect((await patch("/api/v1/runs/none", { status: "success" })).status).toBe(404)
      expect((await patch("/api/v1/runs/p-1", { run_id: "other" })).status).toBe(400)
      expect((await patch("/api/v1/runs/p-1", { status: "nonsense" })).status).toBe(422)
    }),
  )

  it.live("ops: loses an update that comes before its create, or the order", () =>
    over(async ({ post, get }) => {
      const { event_id, ...fields } = run("o-1")
      const created = { op: "create", event_id, ...fields }
      const early = await post("/api/v1/ops", { ops: [{ op: "update", event_id, status: "success" }] })
      expect([early.status, early.json.results]).toMatchObject([200, [{ event_id, status: "pending" }]])
      const late = await post("/api/v1/ops", {
        ops: [created, created, { op: "nonsense", event_id }],
        client: { backlog: 1 },
      })
      expect(late.json.results.map((one: { readonly status: string }) => one.status)).toEqual([
        "created",
        "duplicate",
        "error",
      ])
      expect((await get("/api/v1/runs/o-1")).json.status).toBe("success")
      expect((await post("/api/v1/ops", { ops: Array.from({ length: 1001 }, () => created) })).status).toBe(422)
    }),
  )

  it.live("associate-commit: gives the wrong rows to a commit, or forgets who wrote it", () =>
    over(async ({ post, get, ids }) => {
      await post("/api/v1/runs/batch", [
        run("root", { run_id: "r", git_repo: "https://github.com/o/n.git" }),
        run("child", { run_id: "r:w", parent_run_id: "r" }),
        run("grandchild", { run_id: "r:w:c", parent_run_id: "r:w" }),
        run("loop", { run_id: "r", parent_run_id: "r:w:c" }),
        run("stranger", { run_id: "s", parent_run_id: "t" }),
      ])
      const commit = {
        commit_hash: "abcdef1",
        commit_source: "ci",
        commit_author: "A",
        commit_timestamp: "2026-01-31T13:00:00+01:00",
      }
      const first = await post("/api/v1/runs/root/associate-commit", commit)
      expect([first.status, first.json]).toEqual([
        200,
        { status: "success", event_id: "root", run_id: "r", commit_hash: "abcdef1" },
      ])
      expect(first.headers.get("x-total-count")).toBe("1")
      expect((await get("/api/v1/runs/child")).json.git_commit_hash).toBe(null)
      const hash = "0123456789abcdef0123456789abcdef01234567"
      const all = await post("/api/v1/runs/root/associate-commit?propagate=true", {
        commit_hash: hash,
        commit_source: "llm",
        commit_author: null,
      })
      expect([all.status, all.headers.get("x-total-count")]).toEqual([200, "4"])
      const root = (await get("/api/v1/runs/root")).json
      expect(root).toMatchObject({
        git_commit_hash: hash,
        git_commit_source: "llm",
        git_commit_author: "A",
        git_commit_timestamp: "2026-01-31T12:00:00.000Z",
        commit_url: `https://github.com/o/n/commit/${hash}`,
      })
      for (const id of ["child", "grandchild", "loop"]) {
        expect((await get(`/api/v1/runs/${id}`)).json, id).toMatchObject({
          git_commit_hash: hash,
          git_commit_author: null,
        })
      }
      expect((await get("/api/v1/runs/stranger")).json.git_commit_hash).toBe(null)
      expect(await ids("?status=running")).toHaveLength(5)
      expect((await post("/api/v1/runs/none/associate-commit", commit)).status).toBe(404)
      expect((await post("/api/v1/runs/r/associate-commit", commit)).status).toBe(404)
      expect((await post("/api/v1/runs/root/associate-commit?propagate=perhaps", commit)).status).toBe(422)
      for (const bad of [
        { commit_hash: "abcdef" },
        { commit_hash: `${hash}0` },
        { commit_hash: "not-a-hash" },
        { commit_source: "guess" },
        { commit_source: undefined },
        { commit_timestamp: "2026-01-31T13:00:00" },
      ]) {
        const refused = await post("/api/v1/runs/root/associate-commit", { ...commit, ...bad })
        expect([refused.status, refused.json.detail?.[0]], JSON.stringify(bad)).toEqual([422, ISSUE])
      }
    }),
  )
}
