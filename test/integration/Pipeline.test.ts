import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Claim from "../../src/domain/Claim.js"
import * as Draft from "../../src/domain/Draft.js"
import type { ChainedEvent, EventType } from "../../src/domain/Event.js"
import { EvidenceMap, ProductFacts } from "../../src/domain/Facts.js"
import { Inventory } from "../../src/domain/Inventory.js"
import { PagePlan } from "../../src/domain/PagePlan.js"
import { Snapshot } from "../../src/domain/Snapshot.js"
import { SnippetCatalog } from "../../src/domain/Snippet.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import { filesOf, folderWith, launch, platform, reportOf, temporaryFolder, WIDGET } from "../support/Launches.js"

type Of<Type extends EventType> = Extract<ChainedEvent, { readonly type: Type }>
const only = <Type extends EventType>(events: ReadonlyArray<ChainedEvent>, type: Type): ReadonlyArray<Of<Type>> =>
  events.filter((event): event is Of<Type> => event.type === type)

const json = <A, I>(schema: Schema.Schema<A, I>, text: string | undefined): A =>
  Schema.decodeUnknownSync(Schema.parseJson(schema))(text)

const drafts = (files: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(files).filter(([name]) => name.startsWith("drafts/")))

const setting = Effect.all({ input: folderWith(WIDGET), runsDir: temporaryFolder })

const sandboxed = (faults = "") =>
  Effect.gen(function* () {
    const { input, runsDir } = yield* setting
    const { url } = yield* Sandbox.serve({ faults })
    return { input, runsDir, runId: "run-001", answers: { url } }
  })

const CONFIG = { llm: { model: "claude-sonnet-4-5", temperature: 0.3, max_tokens: 1234 } }

/** Calls of a worker with the worker's own opening event. */
const callsOf = (events: ReadonlyArray<ChainedEvent>, worker: string) => ({
  worker: only(events, "WORK_ITEM_STARTED").find((event) => event.payload.worker === worker),
  calls: only(events, "LLM_CALL_STARTED").filter((event) => event.payload.worker === worker),
})

describe("Pipeline", () => {
  it.scopedLive(
    "T25 T26 T28 T29 T30 calls of FactsBuilder and SectionWriter carry the launch's run id, its trace and their worker's span as parent",
    () =>
      Effect.gen(function* () {
        const launched = yield* launch({ ...(yield* sandboxed()), config: CONFIG })
        const created = only(launched.events, "RUN_CREATED")[0]
        for (const name of ["W2.FactsBuilder", "W5.SectionWriter"]) {
          const { worker, calls } = callsOf(launched.events, name)
          expect(calls.length).toBeGreaterThan(0)
          expect(worker?.parent_span_id).toBe(created?.span_id)
          for (const call of calls) {
            expect(call).toMatchObject({
              run_id: "run-001",
              trace_id: created?.trace_id,
              parent_span_id: worker?.span_id,
            })
          }
        }
        const ids = only(launched.events, "LLM_CALL_STARTED").map((event) => event.payload.call_id)
        expect(ids).toContain("enrich_claims_batch_001")
        expect(ids).toContain("section_writer_products-overview")
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("T27 without a model both workers run the same: heuristics and templates, no call, success", () =>
    Effect.gen(function* () {
      const launched = yield* launch({ ...(yield* setting), runId: "run-001", answers: "none" })
      expect(reportOf(launched)).toMatchObject({ status: "success", calls: 0, template_pages: 0, cost_status: "none" })
      expect(only(launched.events, "LLM_CALL_STARTED")).toEqual([])
      const facts = json(ProductFacts, launched.files["artifacts/product_facts.json"])
      expect(new Set(facts.claims.map((claim) => claim.enriched_by))).toEqual(new Set(["heuristic"]))
      expect(Object.values(drafts(launched.files)).every((draft) => draft.includes("generated_by: template"))).toBe(
        true,
      )
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive(
    "T31 model, base URL, temperature and max_tokens come from the run config; missing keys have defaults",
    () =>
      Effect.gen(function* () {
        const given = yield* sandboxed()
        const told = yield* launch({ ...given, config: { llm: { ...CONFIG.llm, base_url: given.answers.url } } })
        for (const call of only(told.events, "LLM_CALL_STARTED")) {
          expect(call.payload).toMatchObject({
            model: "claude-sonnet-4-5",
            provider_base_url: given.answers.url,
            temperature: 0.3,
            max_tokens: 1234,
          })
        }
        const silent = yield* launch({ ...given, runId: "run-002" })
        const limits = only(silent.events, "LLM_CALL_STARTED").map(({ payload }) => [
          payload.call_id.split("_")[0],
          payload.max_tokens,
        ])
        expect(new Map(limits.map(([kind, limit]) => [kind, limit]))).toEqual(
          new Map([
            ["enrich", 4096],
            ["section", 6000],
          ]),
        )
        expect(only(silent.events, "LLM_CALL_STARTED")[0]?.payload).toMatchObject({
          model: "claude-sonnet-4-5",
          temperature: 0,
        })
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("T37 the run config's own keys survive unchanged", () =>
    Effect.gen(function* () {
      const config = Object.freeze({
        product_name: "Widget Pro",
        enrich: false,
        llm: Object.freeze({ ...CONFIG.llm, max_concurrency: 2 }),
        budgets: Object.freeze({ max_calls: 50 }),
      })
      const launched = yield* launch({ ...(yield* sandboxed()), config })
      expect(JSON.parse(launched.files["run_config.json"] ?? "")).toEqual(config)
      expect(json(ProductFacts, launched.files["artifacts/product_facts.json"]).product_name).toBe("Widget Pro")
      expect(callsOf(launched.events, "W2.FactsBuilder").calls).toEqual([])
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive(
    "T41 two launches of the same input under the replay layer give byte-identical drafts and zero cost",
    () =>
      Effect.gen(function* () {
        const given = yield* sandboxed()
        const first = yield* launch(given)
        const answers = { replayOf: first.directory }
        const second = yield* launch({ ...given, runId: "run-002", answers })
        const third = yield* launch({ ...given, runId: "run-003", answers })
        expect(drafts(second.files)).toEqual(drafts(first.files))
        expect(drafts(third.files)).toEqual(drafts(second.files))
        expect(Object.keys(drafts(third.files)).length).toBeGreaterThan(2)
        for (const replayed of [second, third]) {
          const { calls } = reportOf(first)
          expect(reportOf(replayed)).toMatchObject({
            cost_usd: 0,
            cost_status: "replayed",
            calls,
            replayed_calls: calls,
          })
        }
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive(
    "every artifact has its shape, every draft cites claims that exist, and the snapshot tells the end",
    () =>
      Effect.gen(function* () {
        const { files, events, ...launched } = yield* launch(yield* sandboxed())
        const { claims } = json(Claim.ExtractedClaims, files["artifacts/extracted_claims.json"])
        const known = new Set(claims.map((claim) => claim.claim_id))
        json(Inventory, files["artifacts/repo_inventory.json"])
        json(EvidenceMap, files["artifacts/evidence_map.json"])
        json(SnippetCatalog, files["artifacts/snippet_catalog.json"])
        const { pages } = json(PagePlan, files["artifacts/page_plan.json"])
        const manifest = json(Draft.DraftManifest, files["artifacts/draft_manifest.json"])
        expect(manifest.drafts).toHaveLength(pages.length)
        for (const draft of manifest.drafts) {
          expect(draft.issues).toEqual([])
          expect(draft.claims_used.length).toBeGreaterThan(0)
          expect(draft.claims_used.filter((id) => !known.has(id))).toEqual([])
          expect(Draft.citedClaims(files[draft.draft_path] ?? "")).toEqual(draft.claims_used)
        }
        for (const claim of claims) {
          for (const { path, end_line } of claim.citations)
            expect(end_line).toBeLessThanOrEqual(WIDGET[path]?.split("\n").length ?? 0)
        }
        const snapshot = json(Snapshot, files["snapshot.json"])
        expect(snapshot).toMatchObject({ run_id: "run-001", state: "DONE", status: "success", events: events.length })
        expect(Object.keys(snapshot.artifacts)).toContain("product_facts")
        expect(only(events, "RUN_STATE_CHANGED").map(({ payload }) => payload.new_state)).toEqual([
          "CLONED_INPUTS",
          "INGESTED",
          "FACTS_READY",
          "PLAN_READY",
          "DRAFTING",
          "DRAFT_READY",
          "DONE",
        ])
        const workers = ["W1.RepoScout", "W2.FactsBuilder", "W4.Planner", "W5.SectionWriter"]
        for (const type of ["WORK_ITEM_QUEUED", "WORK_ITEM_STARTED", "WORK_ITEM_FINISHED"] as const) {
          expect(only(events, type).map(({ payload }) => payload.worker)).toEqual(workers)
        }
        expect(reportOf({ files, events, ...launched })).toMatchObject({ cost_status: "simulated", status: "success" })
        expect(files["reports/summary.md"]).toContain("simulated")
      }).pipe(Effect.provide(platform)),
  )

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
