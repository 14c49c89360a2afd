import * as Claim from "./Claim.js"
import type { PlacedClaim } from "./Facts.js"
import type { MarkdownFile, Passage } from "./MarkdownFile.js"
import * as Sentence from "./Sentence.js"

/** Claims of one document at most; the first ones count, because documents begin with what matters. */
export const MAX_CLAIMS_PER_DOCUMENT = 150

const ALERT = /^\s*\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*/i

const isIdle = (passage: Passage): boolean =>
  passage.linksOnly ||
  passage.headings.some((heading) => Sentence.IDLE_HEADING.test(heading.replace(/[:.!]+$/, "").trim())) ||
  /^(?:import|export)\s.+\sfrom\s|^(?:import|export)\s+["{]/.test(passage.prose.text)

const withoutAlert = (prose: Sentence.ProseText): Sentence.ProseText => {
  const mark = ALERT.exec(prose.text)?.[0].length ?? 0
  return mark === 0 ? prose : { text: prose.text.slice(mark), lines: prose.lines.slice(mark) }
}

const kindOf = (passage: Passage, text: string): Claim.Claim["claim_kind"] => {
  const kind = Claim.classify(text)
  return passage.ordered && kind === "feature" ? "workflow" : kind
}

const claimsOf = (path: string, sourceType: Claim.SourceType, passage: Passage): ReadonlyArray<PlacedClaim> =>
  Sentence.sentences(withoutAlert(passage.prose)).flatMap((sentence, index): ReadonlyArray<PlacedClaim> => {
    const text = Sentence.tidy(sentence.text)
    // The second and later sentences of a list item are prose like any other.
    if (!Sentence.isTelling(text, passage.kind === "item" && index === 0 ? "item" : "paragraph")) return []
    const citation = { path, start_line: sentence.startLine, end_line: sentence.endLine, source_type: sourceType }
    return [{ claim: Claim.make(text, citation, kindOf(passage, text)), headings: passage.headings }]
  })

/** The claims that a document's prose makes, in reading order. */
export const read = (path: string, sourceType: Claim.SourceType, document: MarkdownFile): ReadonlyArray<PlacedClaim> =>
  document.passages
    .filter((passage) => !isIdle(passage))
    .flatMap((passage) => claimsOf(path, sourceType, passage))
    .slice(0, MAX_CLAIMS_PER_DOCUMENT)
