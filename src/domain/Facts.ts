import * as Schema from "effect/Schema"
import { Claim, compareText } from "./Claim.js"
import { Enrichment } from "./Enrichment.js"
import { Sha256 } from "./Ids.js"

/** A claim with what enrichment adds, and who added it. */
export const EnrichedClaim = Schema.Struct({
  ...Claim.fields,
  audience_level: Enrichment.fields.audience_level,
  complexity: Enrichment.fields.complexity,
  prerequisites: Enrichment.fields.prerequisites,
  use_cases: Enrichment.fields.use_cases,
  target_persona: Enrichment.fields.target_persona,
  enriched_by: Schema.Literal("llm", "heuristic"),
})
export type EnrichedClaim = typeof EnrichedClaim.Type

/** A passage that speaks of a claim. `score` is 0 to 1. */
export const Evidence = Schema.Struct({
  path: Schema.NonEmptyString,
  start_line: Schema.Int.pipe(Schema.positive()),
  end_line: Schema.Int.pipe(Schema.positive()),
  kind: Schema.Literal("doc", "example"),
  score: Schema.Number.pipe(Schema.between(0, 1)),
})
export type Evidence = typeof Evidence.Type

/** `artifacts/evidence_map.json`. `contradictions` is empty until something looks for them. */
export const EvidenceMap = Schema.Struct({
  product_slug: Schema.String,
  claims: Schema.Array(Schema.Struct({ claim_id: Sha256, evidence: Schema.Array(Evidence) })),
  contradictions: Schema.Array(
    Schema.Struct({ left: Sha256, right: Sha256, winner: Schema.NullOr(Sha256), subject: Schema.String }),
  ),
})
export type EvidenceMap = typeof EvidenceMap.Type

const ids = Schema.Array(Sha256)

/** Which claims serve which purpose; a claim may stand in several groups. */
export const ClaimGroups = Schema.Struct({
  key_features: ids,
  install_steps: ids,
  quickstart_steps: ids,
  workflow_claims: ids,
  limitations: ids,
  compatibility_notes: ids,
})
export type ClaimGroups = typeof ClaimGroups.Type

/** An exported name of the sources. */
export const ApiSymbol = Schema.Struct({
  name: Schema.NonEmptyString,
  kind: Schema.Literal("function", "class", "interface", "type", "enum", "namespace", "constant"),
  module: Schema.NonEmptyString,
  claim_id: Sha256,
})
export type ApiSymbol = typeof ApiSymbol.Type

/** `artifacts/product_facts.json`: what is known of the product, each statement with its source. */
export const ProductFacts = Schema.Struct({
  product_name: Schema.NonEmptyString,
  product_slug: Schema.NonEmptyString,
  repo_url: Schema.NullOr(Schema.String),
  repo_sha: Schema.NonEmptyString,
  positioning: Schema.Struct({ tagline: Schema.String, short_description: Schema.String }),
  claims: Schema.Array(EnrichedClaim),
  claim_groups: ClaimGroups,
  /** Empty until something recognises whole workflows. */
  workflows: Schema.Array(Schema.Unknown),
  api_surface_summary: Schema.Struct({
    symbol_count: Schema.NonNegativeInt,
    by_kind: Schema.Record({ key: Schema.String, value: Schema.NonNegativeInt }),
    symbols: Schema.Array(ApiSymbol),
  }),
  example_inventory: Schema.Array(Schema.Struct({ path: Schema.NonEmptyString, language: Schema.String })),
})
export type ProductFacts = typeof ProductFacts.Type

/** A claim and the headings under which it stands in the documents, outermost first. */
export interface PlacedClaim {
  readonly claim: Claim
  readonly headings: ReadonlyArray<string>
}

const INSTALL = /\binstall(?:ation|ing|s|ed)?\b|\bset[- ]?up\b/i
/** Headings of reference chapters: what stands under them explains a detail and sells nothing. */
const DETAIL =
  /[()=`]|^\.|\b(?:api|methods?|options?|references?|functions?|parameters?|arguments?|examples?|advanced|internals?|upgrad\w*|migrat\w*|contribut\w*|develop\w*|build\w*|convention\w*|notes?|details?|configuration|settings|properties|events)\b/i

const QUICKSTART = /\b(?:quick ?start|getting started|get started|usage|first steps|tutorial|basic use)\b/i
const COMPATIBILITY =
  /\b(?:compatib\w*|requires? (?:node|npm|python|go|rust|java|php|ruby|windows|linux|macos|typescript|es\d|a |at least|version)|minimum version|(?:node(?:\.?js)?|python|typescript|npm|deno|bun|java|go|rust|electron) (?:v?\d|>=|≥|\^)|supported (?:platforms?|versions?|browsers?)|browsers?|windows|linux|macos|engines?)\b/i

/** The groups of claims, by kind, by the headings above and by words. Ids sorted. */
export const group = (claims: ReadonlyArray<PlacedClaim>): ClaimGroups => {
  const pick = (matches: (placed: PlacedClaim) => boolean): ReadonlyArray<string> =>
    claims
      .filter(matches)
      .map(({ claim }) => claim.claim_id)
      .sort(compareText)
  const under = (rule: RegExp) => (placed: PlacedClaim) => placed.headings.some((heading) => rule.test(heading))
  const speaksOf = (rule: RegExp) => (placed: PlacedClaim) => rule.test(placed.claim.claim_text)
  const isKind = (kind: Claim["claim_kind"]) => (placed: PlacedClaim) => placed.claim.claim_kind === kind
  const installs = (placed: PlacedClaim) =>
    under(INSTALL)(placed) || (isKind("workflow")(placed) && speaksOf(INSTALL)(placed))
  return {
    key_features: pick((placed) => isKind("feature")(placed) && !installs(placed) && !under(DETAIL)(placed)),
    install_steps: pick((placed) => installs(placed) && !isKind("limitation")(placed)),
    quickstart_steps: pick((placed) => under(QUICKSTART)(placed) && !installs(placed) && isKind("workflow")(placed)),
    workflow_claims: pick(isKind("workflow")),
    limitations: pick(isKind("limitation")),
    compatibility_notes: pick((placed) => !isKind("api")(placed) && speaksOf(COMPATIBILITY)(placed)),
  }
}
