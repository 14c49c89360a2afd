import { describe, expect, it } from "@effect/vitest"
import { parse } from "yaml"
import * as Claim from "../../src/domain/Claim.js"
import * as Draft from "../../src/domain/Draft.js"
import { makePage } from "../../src/domain/PagePlan.js"
import * as PageTemplate from "../../src/domain/PageTemplate.js"

const claim = Claim.make("Widget turns rows into charts.", {
  path: "README.md",
  start_line: 1,
  end_line: 1,
  source_type: "technical_readme",
})
const page = makePage({
  section: "products",
  slug: "overview",
  title: 'Widget: "quoted" # and\n---',
  purpose: "What: it is",
  page_role: "landing",
  required_snippet_tags: [],
  outline: [
    { heading: "Key features", claim_ids: [claim.claim_id] },
    { heading: "Limitations", claim_ids: [] },
  ],
})
const marker = Claim.marker(claim.claim_id)

describe("Draft", () => {
  it("loses markers of claims that are not the page's, and says which", () => {
    const { markdown, removed } = Draft.withoutUnknownMarkers(
      `One. ${marker} Two. [claim: made-up]`,
      new Set([claim.claim_id]),
    )
    expect(markdown).toBe(`One. ${marker} Two.`)
    expect(removed).toEqual(["made-up"])
  })

  it("misses headings that are absent or stand only in code", () => {
    expect(Draft.missingHeadings("## Key **features**\n\n```md\n## Limits\n```\n", ["Key features", "Limits"])).toEqual(
      ["Limits"],
    )
  })

  it("reports factual sentences without a marker, and no others", () => {
    const text = [
      "## A heading that is long enough to be a sentence.",
      `Widget turns rows into charts. ${marker} Widget also brews excellent black coffee, e.g. Espresso.`,
      `- Rows may come from anywhere you like ${marker}.`,
      "This page lists the commands that exist.",
      "```\nThis is code and not a sentence.\n```",
      "Short one.",
    ].join("\n\n")
    expect(Draft.uncitedSentences(text)).toEqual(["Widget also brews excellent black coffee, e.g. Espresso."])
  })

  it("takes an answer out of its fence and drops frontmatter of its own", () => {
    expect(Draft.bodyOf("```markdown\n---\ntitle: x\n---\nText.\n```")).toBe("Text.")
  })

  it("gives pages the limit that was set for all calls, unless pages have their own", () => {
    expect(Draft.pageMaxTokens({ max_tokens: 4096, page_max_tokens: 6000 })).toBe(6000)
    expect(Draft.pageMaxTokens({ max_tokens: 1000, page_max_tokens: 6000 })).toBe(1000)
    expect(Draft.pageMaxTokens({ max_tokens: 1000, page_max_tokens: 2000 })).toBe(2000)
  })
})

describe("Page template", () => {
  const body = PageTemplate.body(page, new Map([[claim.claim_id, claim]]), [])

  it("cites every claim of the page under its heading and makes no heading without content", () => {
    expect(body).toBe(`## Key features\n\n${claim.claim_text} ${marker}`)
    expect(Draft.uncitedSentences(body)).toEqual([])
    expect(Draft.missingHeadings(body, page.required_headings)).toEqual([])
  })

  it("escapes frontmatter: a title with quotes, colons or dashes must not end it", () => {
    const file = PageTemplate.file("widget", page, body, "template")
    const [, frontmatter = ""] = file.split(/^---$/m)
    expect(parse(frontmatter)).toEqual({
      title: page.title,
      description: page.purpose,
      permalink: "/widget/products/overview/",
      generated_by: "template",
    })
    expect(PageTemplate.file("widget", page, body, "template")).toBe(file)
  })
})
