import * as Claim from "./Claim.js"
import type { PlacedClaim } from "./Facts.js"
import type { ManifestFacts } from "./Manifest.js"
import * as Sentence from "./Sentence.js"

const ended = (text: string): string => (/[.!?)]$/.test(text) ? text : `${text}.`)

/** What a manifest vouches for: its description, when it says something, and its requirements and commands. */
export const read = (path: string, facts: ManifestFacts): ReadonlyArray<PlacedClaim> => {
  const cite = (line: number) => ({ path, start_line: line, end_line: line, source_type: "manifest" as const })
  const description = facts.description
  const text = description === undefined ? "" : Sentence.tidy(description.text.replace(/\s+/g, " "))
  const named = Sentence.capitalised(text, facts.name === undefined ? [] : [facts.name])
  const described =
    description !== undefined && Sentence.isTelling(text, "item")
      ? [{ claim: Claim.make(ended(named), cite(description.line)), headings: [] }]
      : []
  return [
    ...described,
    ...facts.statements.map((each) => ({ claim: Claim.make(each.text, cite(each.line), "feature"), headings: [] })),
  ]
}
