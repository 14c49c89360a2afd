import * as Schema from "effect/Schema"
import { sha256Hex } from "./CanonicalJson.js"
import { Sha256 } from "./Ids.js"
import * as Redaction from "./Redaction.js"

/** What a claim speaks of. */
export const ClaimKind = Schema.Literal("limitation", "workflow", "api", "format", "feature")
export type ClaimKind = typeof ClaimKind.Type

/** What sort of file a claim was read in. */
export const SourceType = Schema.Literal(
  "manifest",
  "source",
  "test",
  "implementation_doc",
  "api_doc",
  "technical_readme",
  "marketing",
)
export type SourceType = typeof SourceType.Type

const PRIORITIES: Readonly<Record<SourceType, number>> = {
  manifest: 1,
  source: 2,
  test: 3,
  implementation_doc: 4,
  api_doc: 5,
  technical_readme: 6,
  marketing: 7,
}

/** 1 (a manifest) to 7 (marketing): the smaller, the more it is believed. */
export const sourcePriority = (source: SourceType): number => PRIORITIES[source]

/** Where a claim was read; lines count from 1, both ends included. `path` is relative to the repository, with `/`. */
export const Citation = Schema.Struct({
  path: Schema.NonEmptyString,
  start_line: Schema.Int.pipe(Schema.positive()),
  end_line: Schema.Int.pipe(Schema.positive()),
  source_type: SourceType,
})
export type Citation = typeof Citation.Type

/** One statement about the product that its own files make. */
export const Claim = Schema.Struct({
  claim_id: Sha256,
  claim_text: Schema.NonEmptyString,
  claim_kind: ClaimKind,
  truth_status: Schema.Literal("fact", "inference"),
  /** 0 to 1, from the best source and the number of files that say it. */
  confidence: Schema.Number.pipe(Schema.between(0, 1)),
  source_priority: Schema.Int.pipe(Schema.between(1, 7)),
  citations: Schema.NonEmptyArray(Citation),
})
export type Claim = typeof Claim.Type

const LIMITATION =
  /\b(not supported|unsupported|does(?: not|n['’]t)|do(?: not|n['’]t)|did(?: not|n['’]t)|is(?: not|n['’]t)|are(?: not|n['’]t)|will not|won['’]t|can(?:not|['’]t| not)|must not|mustn['’]t|should not|shouldn['’]t|limitations?|limited to|no longer|not yet|not (?:possible|allowed|available|guaranteed|recommended|thread[- ]safe)|only works|deprecated|known issues?|caveats?|no support for|never|unable to|incompatible|not compatible|experimental)\b/i

const STEP =
  /^(?:(?:first|then|next|finally|to start|to begin|before|after|once|when you)\b[^.]*\b(?:you|run|install|create|add|open|set|call|use)|(?:to [a-z]+[^,]*, )?(?:run|install|create|add|open|set|start|build|clone|download|configure|enable|disable|copy|execute|invoke|launch|deploy|import|initiali[sz]e|make sure|ensure|use the|pass|call|define|write|generate|update|upgrade|remove|replace)\b|you (?:can|should|must|need to|may|will need)\b)/i

const API =
  /^`[^`]+`\s*[:–—-]\s|`[^`]*\([^`]*\)`|`[A-Za-z_$][\w$]*(?:[.#:][A-Za-z_$][\w$]*)+`|`--?[a-z][\w-]*[^`]*`|\b(?:exports?|function|method|class|interface|returns?|argument|parameter|callback|constructor|instance|property|option|endpoint|API|type alias|module)\b/i

const FORMAT =
  /\b(?:JSON5?|YAML|TOML|CSV|TSV|XML|HTML|CSS|Markdown|GFM|Parquet|NDJSON|JSONL|protobuf|Protocol Buffers|UTF-?8|UTF-?16|Base64|PDF|PNG|JPE?G|GIF|SVG|ZIP|gzip|tar(?:ball)?|SQLite|ISO[- ]8601|MIME|BOM|file formats?|encodings?|serializ\w+|media types?)\b/i

// What a condition denies is not what the product denies.
const CONDITION = /^(?:if|when|whenever|unless|in case|to|for)\b[^,]*,|\bnot only\b/i

/** By ordered rules, the first that fits: limitation, workflow, api, format; everything else is a feature. */
export const classify = (text: string): ClaimKind => {
  if (LIMITATION.test(text.replace(CONDITION, ""))) return "limitation"
  if (STEP.test(text)) return "workflow"
  if (API.test(text)) return "api"
  return FORMAT.test(text) ? "format" : "feature"
}

/** The text by which two claims are the same: case, white space, quotes, emphasis marks and closing punctuation do not count. */
export const normalise = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[`*_"“”]/g, "")
    .replace(/[‘’]/g, "'")
    .replace(/\s+/g, " ")
    .trim()
    .replace(/(?<![\s.!;:,])[\s.!;:,]+$/, "")

/** sha256 of the normalised text and the kind. */
export const claimId = (text: string, kind: ClaimKind): string => sha256Hex(`${normalise(text)}\n${kind}`)

const BASE_CONFIDENCE = [0.95, 0.9, 0.85, 0.75, 0.7, 0.65, 0.5] as const

const confidenceOf = (priority: number, files: number): number => {
  const base = BASE_CONFIDENCE[priority - 1] ?? 0.5
  return Math.round(Math.min(0.99, base + 0.03 * (files - 1)) * 100) / 100
}

/** Citations that one claim keeps at most; the best sources first. */
export const MAX_CITATIONS = 8

const compareCitations = (left: Citation, right: Citation): number =>
  sourcePriority(left.source_type) - sourcePriority(right.source_type) ||
  compareText(left.path, right.path) ||
  left.start_line - right.start_line ||
  left.end_line - right.end_line

/** By UTF-16 code units: the same order on every machine. */
export const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)

const uniqueCitations = (citations: ReadonlyArray<Citation>): ReadonlyArray<Citation> => {
  const seen = new Map(
    citations.map((each) => [`${each.path}\n${each.start_line}\n${each.end_line}\n${each.source_type}`, each]),
  )
  return [...seen.values()].sort(compareCitations)
}

const withCitations = (text: string, kind: ClaimKind, first: Citation, others: ReadonlyArray<Citation>): Claim => {
  const [best = first, ...rest] = uniqueCitations([first, ...others])
  const priority = sourcePriority(best.source_type)
  return {
    claim_id: claimId(text, kind),
    claim_text: text,
    claim_kind: kind,
    truth_status: priority <= 3 ? "fact" : "inference",
    confidence: confidenceOf(priority, new Set([best, ...rest].map((each) => each.path)).size),
    source_priority: priority,
    citations: [best, ...rest.slice(0, MAX_CITATIONS - 1)],
  }
}

/** A claim read in one place, without what looks like a secret: it goes into prompts, artifacts and pages. */
export const make = (text: string, citation: Citation, kind: ClaimKind = classify(text)): Claim =>
  withCitations(Redaction.text(text), kind, citation, [])

const mergeTwo = (left: Claim, right: Claim): Claim => {
  const [better, other] = compareClaims(left, right) <= 0 ? [left, right] : [right, left]
  const [first, ...rest] = better.citations
  return withCitations(better.claim_text, better.claim_kind, first, [...rest, ...other.citations])
}

const compareClaims = (left: Claim, right: Claim): number =>
  left.source_priority - right.source_priority ||
  compareCitations(left.citations[0], right.citations[0]) ||
  compareText(left.claim_text, right.claim_text)

/** One claim an id, with everyone's citations; the best source's spelling stands. Sorted by id; does not depend on the order given. */
export const merge = (claims: Iterable<Claim>): ReadonlyArray<Claim> => {
  const byId = new Map<string, Array<Claim>>()
  for (const claim of claims) byId.set(claim.claim_id, [...(byId.get(claim.claim_id) ?? []), claim])
  return [...byId.values()]
    .flatMap((same) => {
      const [first, ...rest] = [...same].sort(compareClaims)
      return first === undefined ? [] : [rest.reduce(mergeTwo, first)]
    })
    .sort((left, right) => compareText(left.claim_id, right.claim_id))
}

/** `[claim: <id>]`, as a draft cites a claim. */
export const marker = (id: string): string => `[claim: ${id}]`

/** `artifacts/extracted_claims.json`. */
export const ExtractedClaims = Schema.Struct({
  product_slug: Schema.String,
  claim_count: Schema.NonNegativeInt,
  claims: Schema.Array(Claim),
})
export type ExtractedClaims = typeof ExtractedClaims.Type
