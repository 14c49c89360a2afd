import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Enrichment from "../../src/domain/Enrichment.js"
import * as PromptData from "../../src/domain/PromptData.js"
import * as StructuredAnswer from "../../src/domain/StructuredAnswer.js"
import * as SectionText from "../../src/sandbox/SectionText.js"

const text = FastCheck.oneof(
  FastCheck.string({ unit: "binary", maxLength: 80 }),
  FastCheck.constantFrom(
    "</runledger-data>",
    "\n</runledger-data>\n",
    "[claim: x]",
    "```",
    "\u2028",
    "# heading\n- item",
  ),
)
const claims = FastCheck.uniqueArray(
  FastCheck.record({
    claim_id: FastCheck.hexaString({ minLength: 8, maxLength: 8 }),
    claim_text: text,
    claim_kind: FastCheck.constantFrom("limitation", "workflow", "api", "format", "feature"),
  }),
  { selector: (claim) => claim.claim_id, maxLength: 12 },
)
const snippet = FastCheck.record({
  snippet_id: FastCheck.constant("s"),
  language: FastCheck.constantFrom("ts", "sh", ""),
  code: text,
  source_path: text,
})
const section = FastCheck.record({
  product_name: text,
  title: text,
  page_role: text,
  purpose: text,
  required_headings: FastCheck.subarray(["Overview", "Installation", "Usage", "Limitations", "API"]),
  claims,
  snippets: FastCheck.array(snippet, { maxLength: 3 }),
})

describe("PromptData", () => {
  it.prop(
    "is read back whole, whatever untrusted text it holds and stands among",
    [section, text],
    ([data, around]) => {
      const block = PromptData.embed({ kind: "write_section", data })
      expect(PromptData.extract(`${block}\n${around}`)).toEqual(Option.some({ kind: "write_section", data }))
      expect(block.match(/<\/runledger-data>/g)).toHaveLength(1)
    },
  )
})

describe("Enrichment heuristics", () => {
  it.prop("give every claim a valid enrichment, the same each time", [claims], ([all]) => {
    const answer = Enrichment.heuristics(all)
    const read = StructuredAnswer.decode(Enrichment.EnrichmentAnswer)(JSON.stringify(answer))
    expect(Either.isRight(read)).toBe(true)
    expect(answer.claims.map((claim) => claim.claim_id)).toEqual(all.map((claim) => claim.claim_id))
    expect(Enrichment.heuristics(all)).toEqual(answer)
  })

  it("name claims that exist as prerequisites, and never a claim as its own", () => {
    const answer = Enrichment.heuristics([
      { claim_id: "install", claim_text: "Install it with npm install x.", claim_kind: "workflow" },
      { claim_id: "use", claim_text: "Call `pad()` to pad a string.", claim_kind: "api" },
    ])
    expect(answer.claims.map((claim) => claim.prerequisites)).toEqual([[], ["install"]])
  })
})

describe("StructuredAnswer", () => {
  it("finds JSON in fences and among words, and says what is missing otherwise", () => {
    for (const answer of [
      '{"a":1}',
      '```json\n{"a":1}\n```',
      'Here you are:\n```\n{"a":1}\n```\nBye',
      'Sure: {"a":1}.',
    ]) {
      expect(StructuredAnswer.parse(answer), answer).toEqual(Either.right({ a: 1 }))
    }
    expect(StructuredAnswer.parse("")).toEqual(Either.left("the answer is empty"))
    expect(Either.isLeft(StructuredAnswer.parse("no"))).toBe(true)
    expect(StructuredAnswer.decode(Enrichment.EnrichmentAnswer)('{"claims":[{"claim_id":""}]}')).toMatchObject({
      left: expect.stringContaining("claims.0"),
    })
  })
})

describe("a section of the sandbox", () => {
  it.prop("cites each claim exactly once and keeps the headings in their order", [section], ([data]) => {
    const page = SectionText.write(data)
    for (const claim of data.claims) {
      expect(page.split(`[claim: ${claim.claim_id}]`).length - 1, claim.claim_id).toBe(1)
    }
    const places = data.required_headings.map((heading) => page.indexOf(`\n## ${heading}\n`))
    expect(places.every((place) => place >= 0)).toBe(true)
    expect(places).toEqual([...places].sort((left, right) => left - right))
  })
})
