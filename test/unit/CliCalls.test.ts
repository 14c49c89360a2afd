import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Ansi from "../../src/cli/Ansi.js"
import * as CallRow from "../../src/cli/CallRow.js"
import * as CostAs from "../../src/cli/CostAs.js"
import * as CostedCall from "../../src/cli/CostedCall.js"
import * as CostGroup from "../../src/cli/CostGroup.js"
import * as RenderCall from "../../src/cli/RenderCall.js"
import * as RenderCost from "../../src/cli/RenderCost.js"
import * as RenderRows from "../../src/cli/RenderRows.js"
import * as RowsWritten from "../../src/cli/RowsWritten.js"
import { answeredModel } from "../../src/domain/AnsweredModel.js"
import type { Evidence } from "../../src/domain/Evidence.js"
import * as Project from "../../src/domain/Project.js"
import type { RunRecord } from "../../src/domain/Run.js"
import * as RunFold from "../../src/domain/RunFold.js"
import * as RecordedRuns from "../support/RecordedRuns.js"

const recorded = RunFold.fold(Project.project(RecordedRuns.events("run-001", 1))).filter(
  (row) => row.job_type === "llm_call",
)
const callOf = (status: string): RunRecord => {
  const found = recorded.find((row) => row.context_json?.["call_id"] === status)
  if (found === undefined) throw new Error(`no call ${status}`)
  return found
}
const withContext = (row: RunRecord, more: Readonly<Record<string, unknown>>): RunRecord => ({
  ...row,
  context_json: { ...row.context_json, ...more },
})

describe("the model that answered", () => {
  it("a dated form counts as another model, or another model counts as the one that was asked", () => {
    expect(answeredModel("claude-sonnet-4-5", null)).toBe("claude-sonnet-4-5")
    expect(answeredModel("claude-sonnet-4-5", "claude-sonnet-4-5-20250929")).toBe("claude-sonnet-4-5")
    expect(answeredModel("claude-sonnet-4-5", "gpt-4o-mini")).toBe("gpt-4o-mini")
    expect(answeredModel(null, "gpt-4o-mini")).toBe("gpt-4o-mini")
    expect(answeredModel(null, null)).toBeNull()
  })

  it("money of a fallback is put down to the model that did not earn it", () => {
    const asked = withContext(callOf("priced"), { model: "claude-sonnet-4-5", response_model: null })
    const fallback = withContext(callOf("priced"), { model: "claude-sonnet-4-5", response_model: "gpt-4o-mini" })
    const calls = [asked, fallback].map((row) => CostedCall.of(row, () => Option.none()))
    const groups = CostGroup.sorted(calls.reduce(CostGroup.step("model"), CostGroup.none()), "model")
    expect(groups.map(({ group, calls: amount }) => [group, amount])).toEqual([
      ["claude-sonnet-4-5", 1],
      ["gpt-4o-mini", 1],
    ])
    expect(RenderRows.calls(Ansi.plain, [CallRow.fromRun(fallback)])).toContain("claude-sonnet-4-5 → gpt-4o-mini")
  })
})

describe("a list of calls", () => {
  const lines = (rows: ReadonlyArray<RunRecord>) => RenderRows.calls(Ansi.plain, rows.map(CallRow.fromRun)).split("\n")

  it("repeats the run of all of them in each line, or has a column in which nothing stands", () => {
    const [run, heading, ...rows] = lines([callOf("priced"), callOf("simulated")])
    expect(run).toBe("run run-001")
    expect(heading).not.toMatch(/RUN|ERROR|FIRST TOKEN/)
    expect(rows).toHaveLength(2)
    expect(rows.join("")).not.toContain("run-001")
  })

  it("does not say which run each is of where they are of several", () => {
    const [heading, first, second] = lines([callOf("priced"), { ...callOf("simulated"), parent_run_id: "run-002" }])
    expect(heading).toMatch(/ RUN$/)
    expect([first?.endsWith("run-001"), second?.endsWith("run-002")]).toEqual([true, true])
  })

  it("the error of a failed call stands behind all numbers", () => {
    const [, heading = "", , failed = ""] = lines([callOf("priced"), callOf("failed")])
    expect(heading).toMatch(/^CALL +STATUS +ERROR +MODEL/)
    expect(failed).toMatch(/^failed +failure +RateLimited: too many requests +/)
  })
})

describe("cost as another model", () => {
  it("calls without a known price read as $0", () => {
    const rates = { uncachedInput: 10, cacheRead: 10, cacheWrite5m: 10, output: 10 }
    const target: CostAs.Target = { model: "m", price: { priceId: "p", effectiveFrom: null, rates, tiers: [] } }
    const unpriced = { ...CostedCall.of(callOf("unpriced"), () => Option.none()), parts: [] }
    const groups = CostAs.step("model", target)(CostAs.none(), unpriced)
    const drawn = RenderCost.as(Ansi.plain, "model", "m", CostAs.sorted(groups, "model"), CostAs.total(groups)).join("")
    expect(drawn).toMatch(/1 unpriced +- /)
    expect(drawn.split("DIFFERENCE")[1]?.replaceAll("$0 for", "")).not.toMatch(/\$0 /)
  })
})

describe("one call", () => {
  const row = callOf("failed")
  const evidence: Evidence = {
    call_id: "failed",
    run_id: "run-001",
    trace_id: "a".repeat(32),
    span_id: "b".repeat(16),
    event_id: row.event_id,
    prompt_hash: "c".repeat(64),
    model: "m",
    provider: "p",
    temperature: 0,
    latency_ms: 1,
    timestamp: "2026-01-31T12:00:00.000Z",
    status: "failure",
    capture: "redacted",
    request: {
      model: "m",
      system: "Be brief.",
      messages: [
        { role: "user", content: `first line\nsecond \u001b[2Jline${"x".repeat(5000)}` },
        { role: "assistant", content: [{ type: "tool_use", id: "t", name: "look", input: { at: 1 } }] },
      ],
      temperature: 0,
      maxTokens: 10,
    },
    error: {
      error_class: "LlmError",
      reason: "RateLimited",
      message: "told by evidence",
      status: 429,
      retryable: true,
    },
    finish_reason: null,
    redactions: [{ path: "$.request.system", kind: "api_key", count: 2 }],
  }
  const drawn = (isFull: boolean, kept: Evidence = evidence) =>
    RenderCall.render(
      Ansi.plain,
      { run: row, kept: Option.some({ file: "runs/x.json", evidence: kept }), missing: "" },
      isFull,
    )

  it("does not show its question, its error, or where its evidence is", () => {
    const text = drawn(false)
    expect(text).toMatch(/^call {6}failed {2}failure\nrun {7}run-001\n/)
    expect(text).toContain("evidence  runs/x.json")
    expect(text).toContain("removed   2 × api_key at $.request.system")
    expect(text).toContain("\nSYSTEM\n  Be brief.\n\nUSER\n  first line\n  second �[2Jline")
    expect(text).toContain("[tool look is asked for: {")
    expect(text).toContain("\nERROR\n  RateLimited: told by evidence")
    expect(text).not.toContain("\u001b")
  })

  it("a long text is shown whole unasked, or cut although all was asked for", () => {
    expect(drawn(false)).toMatch(/… 3,02\d characters more; --full shows all/)
    expect(drawn(true)).toContain("x".repeat(5000))
    expect(drawn(true)).not.toContain("--full")
  })

  it("hashes and another SDK's shapes are taken for texts", () => {
    const hashed = drawn(false, { ...evidence, capture: "hash", request: "d".repeat(64), response: "e".repeat(64) })
    expect(hashed).toMatch(/QUESTION\n {2}Only its sha256 was kept: d+\n\nANSWER\n {2}Only its sha256 was kept: e+/)
    expect(drawn(false, { ...evidence, request: { as_given: { prompt: "hello" } } })).toContain('"prompt": "hello"')
  })

  it("without evidence the error of the row is lost, or nothing says why there is none", () => {
    const text = RenderCall.render(Ansi.plain, { run: row, kept: Option.none(), missing: "none was kept" }, false)
    expect(text).toContain("evidence  none was kept")
    expect(text).toContain("RateLimited: too many requests")
  })
})

describe("rows of an export", () => {
  const counted = (format: "ndjson" | "csv" | "parquet", ...texts: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const { counted: count, rows } = RowsWritten.of(format)
      const bytes = texts.map((text) => new TextEncoder().encode(text))
      const out = yield* Stream.runCollect(count(Stream.fromIterable(bytes)))
      expect(Chunk.toReadonlyArray(out)).toEqual(bytes)
      return rows()
    })

  it.effect("are counted wrongly where a field has line ends, or where a part ends within one", () =>
    Effect.gen(function* () {
      expect(yield* counted("ndjson", '{"a":1}\n{"a"', ":2}\n")).toBe(2)
      expect(yield* counted("csv", 'a,b\r\n1,"two\r\n', 'lines ""quoted"""\r\n3,4\r\n')).toBe(2)
      expect(yield* counted("csv", "a,b\r\n")).toBe(0)
      expect(yield* counted("parquet", "PAR1")).toBeUndefined()
    }),
  )
})
