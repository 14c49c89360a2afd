import * as Schema from "effect/Schema"
import * as ErrorText from "./ErrorText.js"
import { Sha256 } from "./Ids.js"
import { FinishReason } from "./Llm.js"
import { Page } from "./PagePlan.js"
import { LlmSettings } from "./RunConfig.js"
import { sentences } from "./Sentence.js"

/** Something about a draft that its reader should know. */
export const DraftIssue = Schema.Struct({
  kind: Schema.Literal(
    "unknown_claim_marker",
    "missing_heading",
    "uncited_sentence",
    "cut_off",
    "empty_answer",
    "fallback",
  ),
  message: Schema.String,
})
export type DraftIssue = typeof DraftIssue.Type

/** One written page (`artifacts/draft_manifest.json`). */
export const DraftEntry = Schema.Struct({
  page: Schema.Struct({ section: Page.fields.section, slug: Schema.String, title: Schema.String }),
  draft_path: Schema.NonEmptyString,
  sha256: Sha256,
  word_count: Schema.NonNegativeInt,
  claim_count: Schema.NonNegativeInt,
  claims_used: Schema.Array(Sha256),
  generated_by: Schema.Literal("llm", "template"),
  finish_reason: Schema.NullOr(FinishReason),
  /** Real money; null when simulated, replayed, unpriced or made without a call. */
  cost_usd: Schema.NullOr(Schema.NonNegative),
  issues: Schema.Array(DraftIssue),
})
export type DraftEntry = typeof DraftEntry.Type

export const DraftManifest = Schema.Struct({
  product_slug: Schema.String,
  drafts: Schema.Array(DraftEntry),
})
export type DraftManifest = typeof DraftManifest.Type

/** Why a page is not the model's, as an issue of it begins. */
export const FROM_TEMPLATE = "Written from the template: "

/** Why some pages that the model was to write are not its own, with the reason of the first; null when all are. */
export const shortfall = (drafts: ReadonlyArray<DraftEntry>): string | null => {
  const missing = drafts.filter((draft) => draft.generated_by === "template")
  const [first] = missing
  if (first === undefined) return null
  const why = first.issues.map(({ message }) => message).find((message) => message.startsWith(FROM_TEMPLATE))
  const pages = `${missing.length} of ${drafts.length} ${drafts.length === 1 ? "page comes" : "pages come"} from the template`
  return ErrorText.summaryOf(
    why === undefined
      ? `${pages}.`
      : `${pages}. ${first.page.section}/${first.page.slug}: ${why.slice(FROM_TEMPLATE.length)}`,
  )
}

const LLM_DEFAULTS = Schema.decodeSync(LlmSettings)({})

const MARKER = /[ \t]?\[claim:\s*([^\]\s]+)\s*\]/g

/** The ids of the claims that a text cites, in order of first use. */
export const citedClaims = (markdown: string): ReadonlyArray<string> => [
  ...new Set([...markdown.matchAll(MARKER)].flatMap((match) => (match[1] === undefined ? [] : [match[1]]))),
]

/** The text without the markers whose id is not allowed, and those ids. */
export const withoutUnknownMarkers = (
  markdown: string,
  allowed: ReadonlySet<string>,
): { readonly markdown: string; readonly removed: ReadonlyArray<string> } => {
  const removed = citedClaims(markdown).filter((id) => !allowed.has(id))
  const kept = markdown.replace(MARKER, (marker, id: string) => (allowed.has(id) ? marker : ""))
  return { markdown: kept, removed }
}

const fenceless = (markdown: string): string =>
  markdown.replace(/^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^ {0,3}\1[`~]*[ \t]*$|$(?![\s\S]))/gm, "")

const plainHeading = (text: string): string =>
  text
    .replace(/[`*_#]/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .toLowerCase()

/** The required headings that a text does not have, at any level. */
export const missingHeadings = (markdown: string, required: ReadonlyArray<string>): ReadonlyArray<string> => {
  const present = new Set(
    fenceless(markdown)
      .split("\n")
      .filter((line) => /^ {0,3}#{1,6}\s/.test(line))
      .map(plainHeading),
  )
  return required.filter((heading) => !present.has(plainHeading(heading)))
}

const isProse = (line: string): boolean => !/^\s*(?:#{1,6}\s|\||<|!\[|---|\[[^\]]+\]:)/.test(line)

/** What connects, introduces or asks, and states no fact about the product. */
const CONNECTING =
  /^(?:(?:this|the following|these|below|here|above|in this|on this)\b.*\b(?:page|section|guide|document|list|reference|examples?|article|overview|commands?|snippets?|steps?)\b|see\b|for (?:more|example)\b|note:?$|next steps?\b)/i

// A marker belongs to the sentence before it, also when it stands after the full stop.
const CITED = "\u2020"
const markedUp = (text: string): string =>
  text.replace(/([.!?]+)((?:\s*\[claim:[^\]]*\])+)/g, ` ${CITED}$1`).replace(/(?:\s*\[claim:[^\]]*\])+/g, ` ${CITED}`)

/** Factual sentences without a marker, in paragraphs and list items: at least five words, ending in a full stop. */
export const uncitedSentences = (markdown: string): ReadonlyArray<string> => {
  const blocks = fenceless(markdown)
    .split("\n")
    .map((line) => (isProse(line) ? line.replace(/^\s*(?:[-*+]|\d+[.)]|>)\s+/, "\n") : ""))
    .join("\n")
    .split(/\n\s*\n/)
  return blocks.flatMap((block) =>
    sentences({ text: markedUp(block), lines: [] })
      .map(({ text }) => text)
      .filter((text) => !text.includes(CITED) && text.split(" ").length >= 5)
      .filter((text) => /[.!]$/.test(text) && !CONNECTING.test(text)),
  )
}

/** Words of prose and code, markers left out. */
export const wordCount = (markdown: string): number =>
  markdown
    .replace(MARKER, "")
    .split(/\s+/)
    .filter((word) => /[\p{L}\p{N}]/u.test(word)).length

/** Longest page, in tokens: a limit set for all calls holds for pages too, unless one was set for pages. */
export const pageMaxTokens = (settings: Pick<LlmSettings, "max_tokens" | "page_max_tokens">): number => {
  const { max_tokens, page_max_tokens } = LLM_DEFAULTS
  return settings.max_tokens !== max_tokens && settings.page_max_tokens === page_max_tokens
    ? settings.max_tokens
    : settings.page_max_tokens
}

/** A model's answer as a page's body: no fence around the whole, no frontmatter of its own. */
export const bodyOf = (answer: string): string =>
  answer
    .trim()
    .replace(/^```(?:markdown|md)\s*\n([\s\S]*)\n```$/i, "$1")
    .replace(/^---\n[\s\S]*?\n---\n/, "")
    .trim()
