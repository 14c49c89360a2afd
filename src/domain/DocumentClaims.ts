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

const SIGNATURE = /^[.\w$[\]'"]+\([^)]*\)|^\.\w+|^[a-z]\w*(?:\.\w+)+$|^static \w+\(/
const SUBJECTLESS =
  /^(?:Returns?|Adds?|Creates?|Filters?|Checks?|Sets?|Gets?|Removes?|Debugs?|Parses?|Converts?|Determines?|Throws?|Calls?|Runs?|Executes?|Closes?|Opens?|Registers?|Emits?|Tests?|Deletes?|Updates?|Appends?|Reads?|Writes?|Similar to|Same as|Like|Iterates?|Binds?|Loads?|Prints?|Stops?|Starts?|Allows?|Takes?|Causes?)\s/

/** Under a signature a sentence without a subject speaks of what the heading names: it says so. */
const withSubject = (text: string, passage: Passage): string => {
  const heading = passage.headings.at(-1) ?? ""
  if (!SIGNATURE.test(heading) || !SUBJECTLESS.test(text)) return text
  const name = /^(?:static )?([^(:\s]+)/.exec(heading)?.[1] ?? heading
  return `\`${name.replace(/`/g, "")}\`: ${text}`
}

const claimsOf = (path: string, sourceType: Claim.SourceType, passage: Passage): ReadonlyArray<PlacedClaim> =>
  Sentence.sentences(withoutAlert(passage.prose)).flatMap((sentence, index, all): ReadonlyArray<PlacedClaim> => {
    // An item of several sentences is prose like any other.
    const isItem = passage.kind === "item" && index === 0 && all.length === 1
    const tidied = Sentence.tidy(sentence.text)
    if (!Sentence.isTelling(tidied, isItem ? "item" : "paragraph")) return []
    const text = withSubject(isItem ? Sentence.capitalised(tidied) : Sentence.sentenceCase(tidied), passage)
    const citation = { path, start_line: sentence.startLine, end_line: sentence.endLine, source_type: sourceType }
    const kind = text.length > tidied.length ? "api" : Claim.classify(text)
    return [{ claim: Claim.make(text, citation, kind), headings: passage.headings }]
  })

/** The claims that a document's prose makes, in reading order. */
export const read = (path: string, sourceType: Claim.SourceType, document: MarkdownFile): ReadonlyArray<PlacedClaim> =>
  document.passages
    .filter((passage) => !isIdle(passage))
    .flatMap((passage) => claimsOf(path, sourceType, passage))
    .slice(0, MAX_CLAIMS_PER_DOCUMENT)
