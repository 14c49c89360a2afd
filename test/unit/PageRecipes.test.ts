import { describe, expect, it } from "@effect/vitest"
import * as Claim from "../../src/domain/Claim.js"
import * as EvidenceMatch from "../../src/domain/EvidenceMatch.js"
import * as Facts from "../../src/domain/Facts.js"
import * as Manifest from "../../src/domain/Manifest.js"
import * as ManifestClaims from "../../src/domain/ManifestClaims.js"
import * as PageRecipes from "../../src/domain/PageRecipes.js"

const said = (text: string, headings: ReadonlyArray<string>, line: number): Facts.PlacedClaim => ({
  claim: Claim.make(text, { path: "README.md", start_line: line, end_line: line, source_type: "technical_readme" }),
  headings,
})

const placed = [
  said("Widget turns rows into charts.", ["Widget"], 1),
  said("Draws bar charts.", ["Widget", "Features"], 2),
  said("Draws line charts.", ["Widget", "Features"], 3),
  said("Chooses readable colours.", ["Widget", "Features"], 4),
  said("Reads CSV and JSON files.", ["Widget", "Features"], 5),
  said("Install Widget with your package manager.", ["Widget", "Installation"], 6),
  said("Pie charts are not supported.", ["Widget", "Limitations"], 7),
  said("Charts cannot be changed later.", ["Widget", "Limitations"], 8),
  said("Widget is smaller than the others.", ["Widget", "Why Widget?"], 9),
  said("Widget is made for notebooks.", ["Widget", "When to use it?"], 10),
]

const factsOf = (claims: ReadonlyArray<Facts.PlacedClaim>): Facts.ProductFacts => ({
  product_name: "Widget",
  product_slug: "widget",
  repo_url: null,
  repo_sha: "0",
  positioning: { tagline: "", short_description: "" },
  claims: Claim.merge(claims.map(({ claim }) => claim)).map((claim) => ({
    ...claim,
    audience_level: "beginner",
    complexity: "simple",
    prerequisites: [],
    use_cases: ["a", "b"],
    target_persona: "p",
    enriched_by: "heuristic",
  })),
  claim_groups: Facts.group(claims),
  workflows: [],
  api_surface_summary: { symbol_count: 0, by_kind: {}, symbols: [] },
  example_inventory: [],
})

const planOf = (claims: ReadonlyArray<Facts.PlacedClaim>) =>
  PageRecipes.plan({
    facts: factsOf(claims),
    headings: new Map(claims.map(({ claim, headings }) => [claim.claim_id, headings])),
  })

describe("Page recipes", () => {
  const { pages } = planOf(placed)
  const page = (section: string, slug: string) => pages.find((each) => each.section === section && each.slug === slug)

  it("plan only pages and headings that have claims to stand on", () => {
    expect(pages.length).toBeGreaterThan(3)
    for (const each of pages) {
      expect(each.required_claim_ids.length).toBeGreaterThan(0)
      for (const part of each.outline) expect(part.claim_ids.length).toBeGreaterThan(0)
      expect(each.required_headings).not.toContain("")
    }
    expect(planOf([]).pages).toEqual([])
    expect(planOf(placed.slice(0, 1)).pages.map((each) => each.slug)).toEqual(["overview"])
  })

  it("give a claim one home; only the announcement repeats", () => {
    const homes = pages.filter((each) => each.section !== "blog").flatMap((each) => each.required_claim_ids)
    expect(new Set(homes).size).toBe(homes.length)
    expect(page("blog", "announcement")?.required_claim_ids.some((id) => homes.includes(id))).toBe(true)
  })

  it("put questions under their own words and keep reading order", () => {
    expect(page("kb", "faq")?.required_headings).toEqual(["Why Widget?", "When to use it?"])
    const overview = page("products", "overview")
    expect(overview?.outline[0]).toEqual({ heading: "", claim_ids: [placed[0]?.claim.claim_id] })
    expect(overview?.outline[1]?.claim_ids).toEqual(placed.slice(1, 4).map(({ claim }) => claim.claim_id))
  })

  it("are the same for claims in any order", () => {
    expect(
      PageRecipes.plan({
        facts: factsOf([...placed].reverse()),
        headings: new Map(placed.map(({ claim, headings }) => [claim.claim_id, headings])),
      }),
    ).toEqual(planOf(placed))
  })
})

describe("Evidence match", () => {
  const passage = (path: string, text: string) => ({ path, startLine: 1, endLine: 1, kind: "doc" as const, text })
  const claims = placed.slice(0, 2).map(({ claim }) => claim)

  it("prefers the passage that says most of a claim, and gives nothing where nothing does", () => {
    const found = EvidenceMatch.match(claims, [
      passage("b.md", "Bar charts are what this draws."),
      passage("a.md", "Something else about cooking."),
    ])
    expect(found[1]?.evidence.map(({ path }) => path)).toEqual(["b.md"])
    expect(EvidenceMatch.match(claims, [])[0]?.evidence).toEqual([])
  })
})

describe("Manifests", () => {
  const texts = (path: string, text: string) =>
    ManifestClaims.read(path, Manifest.read(path, text)).map(({ claim }) => [
      claim.claim_text,
      claim.citations[0].start_line,
    ])

  it("vouch for what they say, with the line on which it stands", () => {
    const text =
      '{\n  "name": "widget",\n  "description": "widget draws charts quickly",\n  "engines": { "node": ">=20" },\n  "bin": { "wdg": "x" }\n}'
    expect(texts("package.json", text)).toEqual([
      ["widget draws charts quickly.", 3],
      ["`widget` requires Node.js `>=20`.", 4],
      ["`widget` provides the command `wdg`.", 5],
    ])
    expect(
      texts("Cargo.toml", '[package]\nname = "w"\ndescription = "Draws charts very fast"\nrust-version = "1.80"\n'),
    ).toEqual([
      ["Draws charts very fast.", 3],
      ["`w` requires Rust `1.80`.", 4],
    ])
    expect(Manifest.read("go.mod", "module example.org/a/widget/v2\n\ngo 1.22\n").name).toBe("widget")
    expect(Manifest.read("pyproject.toml", "[project]\nname = 'pywidget'\n").name).toBe("pywidget")
  })

  it("that are broken say nothing", () => {
    expect(texts("package.json", "{ not json")).toEqual([])
    expect(texts("package.json", '{"name": 3, "engines": [], "bin": null, "description": {}}')).toEqual([])
  })
})
