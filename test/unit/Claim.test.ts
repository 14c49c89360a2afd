import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Claim from "../../src/domain/Claim.js"

const citation = (path: string, line: number, source_type: Claim.SourceType = "technical_readme"): Claim.Citation => ({
  path,
  start_line: line,
  end_line: line,
  source_type,
})

const claims = FastCheck.array(
  FastCheck.record({
    text: FastCheck.constantFrom(
      "It parses YAML.",
      "it parses  yaml",
      "`parse(text)` returns a document.",
      "Runs on Node.",
    ),
    path: FastCheck.constantFrom("README.md", "docs/a.md", "package.json"),
    line: FastCheck.integer({ min: 1, max: 9 }),
    source: FastCheck.constantFrom<Claim.SourceType>("manifest", "technical_readme", "marketing"),
  }).map(({ text, path, line, source }) => Claim.make(text, citation(path, line, source))),
  { maxLength: 12 },
)

describe("Claim", () => {
  it.each([
    ["Streams are not supported on Windows.", "limitation"],
    ["If the file is not found, an empty list comes back.", "feature"],
    ["Install the package with your package manager.", "workflow"],
    ["`parse(text)` reads a document.", "api"],
    ["It reads JSON and CSV files.", "format"],
    ["Full transaction support.", "feature"],
  ])("%s is a %s: ordered rules would otherwise sort claims wrongly", (text, kind) => {
    expect(Claim.classify(text)).toBe(kind)
  })

  it("gives one id to the same words in other case, marks and spacing, and another to another kind", () => {
    expect(Claim.claimId("It  parses `YAML`.", "feature")).toBe(Claim.claimId("it parses yaml", "feature"))
    expect(Claim.claimId("It parses YAML", "feature")).not.toBe(Claim.claimId("It parses YAML", "format"))
    expect(Claim.claimId("x", "api")).toMatch(/^[0-9a-f]{64}$/)
  })

  it("calls a claim a fact only when a manifest, a source or a test says it", () => {
    expect(Claim.make("A thing.", citation("package.json", 1, "manifest")).truth_status).toBe("fact")
    expect(Claim.make("A thing.", citation("x.test.ts", 1, "test")).truth_status).toBe("fact")
    expect(Claim.make("A thing.", citation("docs/x.md", 1, "implementation_doc")).truth_status).toBe("inference")
  })

  it("merges citations of duplicates, the better source speaking", () => {
    const [merged, ...more] = Claim.merge([
      Claim.make("it parses yaml", citation("README.md", 3)),
      Claim.make("It parses YAML.", citation("package.json", 4, "manifest")),
    ])
    expect(more).toEqual([])
    expect(merged).toMatchObject({ claim_text: "It parses YAML.", source_priority: 1, truth_status: "fact" })
    expect(merged?.citations.map(({ path }) => path)).toEqual(["package.json", "README.md"])
  })

  it.prop("merging is idempotent, sorted by id, and does not depend on the order", [claims], ([all]) => {
    const merged = Claim.merge(all)
    expect(Claim.merge([...all].reverse())).toEqual(merged)
    expect(Claim.merge(merged)).toEqual(merged)
    const ids = merged.map((claim) => claim.claim_id)
    expect(ids).toEqual([...new Set(ids)].sort())
  })
})
