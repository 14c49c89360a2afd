import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Draft from "../../src/domain/Draft.js"
import type { EventType } from "../../src/domain/Event.js"
import { ProductFacts } from "../../src/domain/Facts.js"
import { Snapshot } from "../../src/domain/Snapshot.js"
import {
  draftsOf as drafts,
  filesOf,
  folderWith,
  json,
  launch,
  only,
  platform,
  reportOf,
  sandboxed,
  setting,
} from "../support/Launches.js"
import * as MessagesServer from "../support/MessagesServer.js"

describe("Pipeline in trouble", () => {
  it.scopedLive(
    "a provider that refuses every page makes the run partial: template pages, the reason in the report",
    () =>
      Effect.gen(function* () {
        const launched = yield* launch(yield* sandboxed("401*"))
        const report = reportOf(launched)
        expect(report).toMatchObject({ status: "partial", failed_calls: report.calls })
        expect(report.template_pages).toBe(report.pages)
        expect(only(launched.events, "RUN_COMPLETED")[0]?.payload.status).toBe("partial")
        expect(only(launched.events, "ISSUE_OPENED").map(({ payload }) => payload.kind)).toContain("fallback")
        expect(launched.files["drafts/products/overview.md"]).toContain("generated_by: template")
        expect(launched.files["reports/summary.md"]).toContain("Authentication")
        expect(Object.values(launched.files).join("\n")).not.toContain("sk-ant-not-a-key")
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("an answer cut at max_tokens is continued once and comes out whole", () =>
    Effect.gen(function* () {
      const whole = yield* launch({ ...(yield* sandboxed()), config: { enrich: false, llm: { max_concurrency: 1 } } })
      const cut = yield* launch({
        ...(yield* sandboxed("max_tokens:40")),
        config: { enrich: false, llm: { max_concurrency: 1 } },
      })
      expect(drafts(cut.files)).toEqual(drafts(whole.files))
      const ids = only(cut.events, "LLM_CALL_STARTED").map(({ payload }) => payload.call_id)
      expect(ids.slice(0, 2)).toEqual(["section_writer_products-overview", "section_writer_products-overview~2"])
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("enrichment that comes back malformed is repaired once, then done by rule, and marked", () =>
    Effect.gen(function* () {
      const repaired = yield* launch(yield* sandboxed("max_tokens:20"))
      const byModel = json(ProductFacts, repaired.files["artifacts/product_facts.json"]).claims
      expect(new Set(byModel.map((claim) => claim.enriched_by))).toEqual(new Set(["llm"]))
      expect(only(repaired.events, "LLM_CALL_STARTED").map(({ payload }) => payload.call_id)).toContain(
        "enrich_claims_batch_001~2",
      )
      const given = yield* sandboxed("max_tokens:20*2")
      const byRule = yield* launch(given)
      const claims = json(ProductFacts, byRule.files["artifacts/product_facts.json"]).claims
      expect(new Set(claims.map((claim) => claim.enriched_by))).toEqual(new Set(["heuristic"]))
      expect(only(byRule.events, "ISSUE_OPENED").map(({ payload }) => payload.kind)).toContain("enrichment_fallback")
      expect(Object.keys(yield* filesOf(given.runsDir)).filter((name) => name.startsWith(".cache"))).toEqual([])
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive(
    "a run that reaches its limit of calls ends partial with template pages, and says so as it nears it",
    () =>
      Effect.gen(function* () {
        const launched = yield* launch({ ...(yield* sandboxed()), config: { budgets: { max_calls: 2 } } })
        expect(reportOf(launched)).toMatchObject({ status: "partial", calls: 2 })
        expect(only(launched.events, "BUDGET_ALERT").map(({ payload }) => payload.threshold_percent)).toEqual([
          50, 80, 100,
        ])
        expect(
          only(launched.events, "ISSUE_OPENED").some(({ payload }) => payload.message.includes("budgets.max_calls")),
        ).toBe(true)
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive.each([
    ["day", { max_cost_usd_per_day: 0.25 }, "budgets.max_cost_usd_per_day"],
    ["month", { max_cost_usd_per_month: 0.25 }, "budgets.max_cost_usd_per_month"],
    ["worker", { per_worker: { "W5.SectionWriter": 0.25 } }, "budgets.per_worker.W5.SectionWriter"],
    ["model", { per_model: { "claude-sonnet-4-5": 0.25 } }, "budgets.per_model.claude-sonnet-4-5"],
  ] as const)(
    "a launch that uses up the %s's budget spends more, fails, or loses its pages; or the next launch spends again",
    ([budget, budgets, key]) =>
      Effect.gen(function* () {
        const { input, runsDir } = yield* setting
        const model = yield* MessagesServer.serve
        const config = { enrich: false, llm: { max_concurrency: 1 }, budgets }
        const given = { input, runsDir, answers: { url: model.url }, config }
        const first = yield* launch({ ...given, runId: "run-001" })
        const report = reportOf(first)
        // Each call sets aside more than 9 cents for the longest page and uses 4.95 of them.
        expect(report).toMatchObject({ status: "partial", calls: 4, cost_usd: 0.198, cost_status: "priced" })
        expect(report.template_pages).toBe(report.pages - 4)
        expect(only(first.events, "RUN_COMPLETED")[0]?.payload.status).toBe("partial")
        expect(
          only(first.events, "BUDGET_ALERT").map(({ payload }) => [payload.budget, payload.threshold_percent]),
        ).toEqual([[budget, 50]])
        expect(only(first.events, "ISSUE_OPENED").some(({ payload }) => payload.message.includes(key))).toBe(true)
        const second = yield* launch({ ...given, runId: "run-002" })
        expect(reportOf(second)).toMatchObject({ status: "partial", calls: 0 })
        expect(model.requests()).toBe(4)
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("a run whose time is up ends partial with template pages while the provider hangs", () =>
    Effect.gen(function* () {
      const given = yield* sandboxed("hang*")
      const launched = yield* launch({
        ...given,
        timeout: 60_000,
        config: { enrich: false, budgets: { max_runtime: 2 } },
      })
      expect(reportOf(launched).status).toBe("partial")
      expect(
        only(launched.events, "ISSUE_OPENED").some(({ payload }) => payload.message.includes("budgets.max_runtime")),
      ).toBe(true)
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("an interrupted launch is cancelled: every open span is closed and what was written stays", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const given = yield* sandboxed("hang*")
      const fiber = yield* Effect.fork(launch({ ...given, timeout: 60_000, config: { enrich: false } }))
      const log = `${given.runsDir}/run-001/events.ndjson`
      const calls = Effect.map(
        Effect.orElseSucceed(fs.readFileString(log), () => ""),
        (text) => text.includes("LLM_CALL_STARTED"),
      )
      yield* calls.pipe(
        Effect.delay("20 millis"),
        Effect.repeat({ until: (begun) => begun }),
        Effect.timeout("30 seconds"),
      )
      yield* Fiber.interrupt(fiber)
      const types = (yield* fs.readFileString(log))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).type as EventType)
      const count = (type: EventType) => types.filter((each) => each === type).length
      expect(count("LLM_CALL_FAILED")).toBe(count("LLM_CALL_STARTED"))
      expect(count("WORK_ITEM_FINISHED")).toBe(count("WORK_ITEM_STARTED"))
      expect(types.at(-1)).toBe("RUN_CANCELLED")
      const files = yield* filesOf(`${given.runsDir}/run-001`)
      expect(json(Snapshot, files["snapshot.json"])).toMatchObject({ state: "CANCELLED", status: "cancelled" })
      expect(Object.keys(files)).toContain("artifacts/page_plan.json")
      expect(files["reports/summary.md"]).toContain("cancelled")
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("a secret in a README reaches no prompt, artifact or page, and a recorded run is no source", () =>
    Effect.gen(function* () {
      const secret = `sk-ant-api03-${"AbCd0123".repeat(6)}`
      const input = yield* folderWith({
        "README.md": `# Gauge\n\nGauge reads the key ${secret} from its settings file.\n\n## Usage\n\n\`\`\`js\nconst gauge = open("${secret}")\n\`\`\`\n`,
        "runs/run-000/events.ndjson": "{}\n",
        "runs/run-000/run_config.json": "{}\n",
        "runs/run-000/drafts/products/overview.md": "Gauge paints the moon in seven colours every night.\n",
      })
      const launched = yield* launch({ ...(yield* sandboxed()), input })
      const everything = Object.values(launched.files).join("\n")
      expect(everything).not.toContain(secret)
      expect(everything).toContain("[REDACTED:")
      expect(everything).not.toContain("paints the moon")
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("a repository that says nothing gives a warning and empty but valid artifacts, and asks no model", () =>
    Effect.gen(function* () {
      const given = yield* sandboxed()
      const input = yield* folderWith({ "data.csv": "a,b\n1,2\n" })
      const launched = yield* launch({ ...given, input })
      expect(reportOf(launched)).toMatchObject({ status: "success", pages: 0, calls: 0 })
      expect(only(launched.events, "ISSUE_OPENED").map(({ payload }) => payload.kind)).toEqual(["no_claims"])
      expect(json(Draft.DraftManifest, launched.files["artifacts/draft_manifest.json"]).drafts).toEqual([])
    }).pipe(Effect.provide(platform)),
  )
})
