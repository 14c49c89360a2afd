import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as BudgetLimits from "../../src/domain/BudgetLimits.js"
import { editDistance, nearest } from "../../src/domain/Nearest.js"
import * as RunConfigText from "../../src/domain/RunConfigText.js"
import * as FactsBuilder from "../../src/pipeline/FactsBuilder.js"
import * as Planner from "../../src/pipeline/Planner.js"
import * as RepoScout from "../../src/pipeline/RepoScout.js"
import * as SectionWriter from "../../src/pipeline/SectionWriter.js"

const message = (text: string): string =>
  Either.match(RunConfigText.parse(text), { onLeft: (error) => error.message, onRight: () => "accepted" })

const read = (text: string) => Either.getOrThrow(RunConfigText.parse(text))

describe("RunConfigText", () => {
  it("reads YAML, JSON, and either inside run_config", () => {
    const expected = { product_name: "Acme", llm: { max_tokens: 100 } }
    for (const text of [
      "product_name: Acme\nllm:\n  max_tokens: 100\n",
      JSON.stringify(expected),
      `run_config: ${JSON.stringify(expected)}`,
      "\uFEFFrun_config:\n  product_name: Acme\n  llm: { max_tokens: 100 }\n",
    ]) {
      expect(RunConfigText.parse(text)).toEqual(Either.right(expected))
    }
  })

  it("takes an empty text for an empty config and fills no defaults in", () => {
    expect(RunConfigText.parse("")).toEqual(Either.right({}))
    expect(RunConfigText.parse("# nothing yet\n")).toEqual(Either.right({}))
    expect(RunConfigText.parse("run_config:\n")).toEqual(Either.right({}))
  })

  it("T37 the run config's own keys survive unchanged", () => {
    const text = `
_telemetry_run_id: run-001
_telemetry_trace_id: 0123456789abcdef0123456789abcdef
_telemetry_parent_span_id: 0123456789abcdef
git: { repo: "https://example.test/a", branch: main }
`
    const wire = Either.getOrThrow(RunConfigText.parse(text))
    expect(wire).toEqual({
      _telemetry_run_id: "run-001",
      _telemetry_trace_id: "0123456789abcdef0123456789abcdef",
      _telemetry_parent_span_id: "0123456789abcdef",
      git: { repo: "https://example.test/a", branch: "main" },
    })
    expect(Either.getOrThrow(RunConfigText.withDefaults(wire))).toMatchObject({ ...wire, offline_mode: false })
  })

  it("names an unknown key and the nearest known one, at every level", () => {
    expect(message("prodct_name: Acme")).toBe('prodct_name: unknown key "prodct_name"; did you mean "product_name"?')
    expect(message("llm: { maxTokens: 5 }")).toBe('llm.maxTokens: unknown key "maxTokens"; did you mean "max_tokens"?')
    expect(message("budgets: { zzzzzzzz: 5 }")).toContain("the keys of budgets are max_cost_usd, max_calls")
    expect(message("run_config: {}\nllm: {}")).toContain('unknown key "llm" beside run_config; move it inside')
    expect(message("__proto__: 1")).toContain('unknown key "__proto__"')
  })

  it("reads fallbacks, and names what is wrong with one of them", () => {
    const fallback = [{ model: "claude-haiku-4-5" }, { provider: "openai", model: "gpt-5", base_url: "http://a" }]
    expect(read(JSON.stringify({ llm: { fallback } }))).toEqual({ llm: { fallback } })
    const first = (member: object) => message(JSON.stringify({ llm: { fallback: [member] } }))
    expect(first({ modle: "x" })).toContain('llm.fallback.0.modle: unknown key "modle"; did you mean "model"?')
    expect(first({})).toContain("a fallback names a provider, a model or a base_url of its own")
    expect(first({ provider: "sandbox" })).toContain("llm.fallback.0.provider")
    expect(message(JSON.stringify({ llm: { fallback: Array.from({ length: 9 }, () => ({ model: "x" })) } }))).toContain(
      "llm.fallback",
    )
  })

  it("names the path, the expected and the found of a wrong type", () => {
    expect(message("llm: { max_tokens: lots }")).toBe('llm.max_tokens: expected a number, found the text "lots"')
    expect(message("llm: 3")).toBe("llm: expected a mapping of keys, found the number 3")
    expect(message("offline_mode: maybe")).toBe('offline_mode: expected a boolean, found the text "maybe"')
    expect(message("llm: { provider: claude }")).toBe(
      'llm.provider: expected "anthropic" or "openai" or "sandbox" or "replay", found the text "claude"',
    )
    expect(message("budgets: { max_cost_usd: -1 }")).toBe(
      "budgets.max_cost_usd: expected a non-negative number, found the number -1",
    )
    expect(message("llm: { temperature: 3 }")).toMatch(/^llm\.temperature: expected .*, found the number 3$/)
    expect(message("- a\n- b")).toBe("a run config is a mapping of keys, found a list")
    expect(message("just words")).toBe('a run config is a mapping of keys, found the text "just words"')
  })

  it("takes a limit that would never bind: a worker that is misspelled, a threshold that is no share", () => {
    expect(message("budgets: { max_cost_usd_per_dy: 5 }")).toBe(
      'budgets.max_cost_usd_per_dy: unknown key "max_cost_usd_per_dy"; did you mean "max_cost_usd_per_day"?',
    )
    expect(message("budgets: { per_worker: { W5.SectionWritr: 1 } }")).toBe(
      'budgets.per_worker.W5.SectionWritr: unknown key "W5.SectionWritr"; did you mean "W5.SectionWriter"?',
    )
    expect(message("budgets: { per_model: { claude-sonnet-4-5: -1 } }")).toMatch(
      /^budgets\.per_model\.claude-sonnet-4-5: expected a non-negative number, found the number -1$/,
    )
    expect(message("budgets: { thresholds: [50, 120] }")).toMatch(
      /^budgets\.thresholds\.1: expected .*, found the number 120$/,
    )
    const wire = read("budgets: { max_cost_usd_per_day: 1, per_worker: { W2.FactsBuilder: 2 }, thresholds: [90] }")
    expect(BudgetLimits.ofConfig(Either.getOrThrow(RunConfigText.withDefaults(wire)).budgets)).toMatchObject({
      maxCostUsd: 5,
      maxCostUsdPerDay: 1,
      perWorker: { "W2.FactsBuilder": 2 },
      thresholds: [90],
    })
  })

  it("the workers that a run config may limit are not those of the pipeline", () => {
    const workers = [RepoScout.WORKER, FactsBuilder.WORKER, Planner.WORKER, SectionWriter.WORKER]
    const all = `budgets: { per_worker: { ${workers.map((worker) => `${worker}: 1`).join(", ")} } }`
    expect(Object.keys(read(all).budgets?.per_worker ?? {}).sort()).toEqual([...workers].sort())
  })

  it("reports everything at once, unknown keys and wrong types together", () => {
    const result = RunConfigText.parse("llm: { modle: a, max_tokens: 1.5 }\noffline: true")
    const problems = Either.isLeft(result) ? result.left.problems : []
    expect(problems.map((problem) => problem.path)).toEqual(["llm.modle", "offline", "llm.max_tokens"])
  })

  it("says where a text is not YAML, and refuses duplicate keys and alias bombs", () => {
    expect(message("llm: {")).toMatch(/^not valid YAML or JSON: .*line 1/)
    expect(message("ref: a\nref: b")).toMatch(/Map keys must be unique/)
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nref: [*c,*c,*c,*c,*c]`
    expect(message(bomb)).not.toBe("accepted")
  })

  it("never shows the value of an unknown key, which may be a secret", () => {
    expect(message("llm: { api_key: sk-ant-very-secret }")).not.toContain("secret")
  })
})

describe("Nearest", () => {
  it("counts edits, a swap of neighbours as one", () => {
    expect(editDistance("", "abc")).toBe(3)
    expect(editDistance("kitten", "sitting")).toBe(3)
    expect(editDistance("modle", "model")).toBe(1)
  })

  it("guesses a slip and not another word", () => {
    expect(nearest("--modle", ["model", "ref"])).toBe("model")
    expect(nearest("xyzxyz", ["model", "ref"])).toBeUndefined()
  })
})
