import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { editDistance, nearest } from "../../src/domain/Nearest.js"
import * as RunConfigText from "../../src/domain/RunConfigText.js"

const message = (text: string): string =>
  Either.match(RunConfigText.parse(text), { onLeft: (error) => error.message, onRight: () => "accepted" })

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
