import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Claim from "../../src/domain/Claim.js"
import * as Draft from "../../src/domain/Draft.js"
import type { ChainedEvent } from "../../src/domain/Event.js"
import { EvidenceMap, ProductFacts } from "../../src/domain/Facts.js"
import { Inventory } from "../../src/domain/Inventory.js"
import { PagePlan } from "../../src/domain/PagePlan.js"
import { Snapshot } from "../../src/domain/Snapshot.js"
import { SnippetCatalog } from "../../src/domain/Snippet.js"
import {
  draftsOf as drafts,
  json,
  launch,
  only,
  platform,
  reportOf,
  sandboxed,
  setting,
  WIDGET,
} from "../support/Launches.js"

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
})
