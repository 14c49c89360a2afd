import * as Schema from "effect/Schema"
import type { PromptClaim } from "./PromptData.js"

/** For whom a claim is. */
export const AudienceLevel = Schema.Literal("beginner", "intermediate", "advanced")
export type AudienceLevel = typeof AudienceLevel.Type

/** How much a claim asks of its reader. */
export const Complexity = Schema.Literal("simple", "medium", "complex")
export type Complexity = typeof Complexity.Type

/** What enrichment adds to one claim. `prerequisites` are claim ids; there are two or three `use_cases`. */
export const Enrichment = Schema.Struct({
  claim_id: Schema.NonEmptyString,
  audience_level: AudienceLevel,
  complexity: Complexity,
  prerequisites: Schema.Array(Schema.NonEmptyString),
  use_cases: Schema.Array(Schema.NonEmptyString).pipe(Schema.minItems(2), Schema.maxItems(3)),
  target_persona: Schema.NonEmptyString,
})
export type Enrichment = typeof Enrichment.Type

/** The answer to an enrichment prompt. */
export const EnrichmentAnswer = Schema.Struct({ claims: Schema.Array(Enrichment) })
export type EnrichmentAnswer = typeof EnrichmentAnswer.Type

const literals = (values: ReadonlyArray<string>) => ({ type: "string", enum: values })
const strings = { type: "array", items: { type: "string" } }

/**
 * {@link EnrichmentAnswer} as a JSON Schema that structured output of the Messages API accepts: every member required,
 * nothing additional, no bounds on arrays (the number of use cases is checked by the Schema on decoding).
 */
export const answerJsonSchema: { readonly [key: string]: unknown } = {
  type: "object",
  additionalProperties: false,
  required: ["claims"],
  properties: {
    claims: {
      type: "array",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["claim_id", "audience_level", "complexity", "prerequisites", "use_cases", "target_persona"],
        properties: {
          claim_id: { type: "string" },
          audience_level: literals(AudienceLevel.literals),
          complexity: literals(Complexity.literals),
          prerequisites: strings,
          use_cases: strings,
          target_persona: { type: "string" },
        },
      },
    },
  },
}

const ADVANCED =
  /\b(async(?:hronous)?|concurren\w*|thread\w*|memory|performance|benchmark\w*|internals?|binding|native|plugin\w*|middleware|protocol|transaction\w*|low-level|custom|extend\w*|override\w*|generic\w*|compil\w*)\b/i
const BEGINNER =
  /\b(install\w*|getting started|quick ?start|simpl\w*|easy|easily|basic\w*|introduc\w*|default\w*|start|begin\w*)\b/i
const CONDITION = /\b(if|when|unless|except|only|requires?|must|however|but|depends|otherwise)\b/gi
const INSTALLS =
  /\b(install\w*|npm i|npm install|pip install|cargo add|go get|yarn add|pnpm add|download\w*|set ?up)\b/i

const words = (text: string): ReadonlyArray<string> => text.split(/\s+/).filter((word) => word !== "")

const isSymbolic = (claim: PromptClaim): boolean =>
  claim.claim_kind === "api" || /`[^`]+\(|\w+\(\)/.test(claim.claim_text)

const audienceOf = (claim: PromptClaim): AudienceLevel => {
  if (ADVANCED.test(claim.claim_text)) return "advanced"
  if (BEGINNER.test(claim.claim_text)) return "beginner"
  return isSymbolic(claim) || claim.claim_kind === "limitation" ? "intermediate" : "beginner"
}

const complexityOf = (claim: PromptClaim): Complexity => {
  const length = words(claim.claim_text).length
  const conditions = claim.claim_text.match(CONDITION)?.length ?? 0
  const code = claim.claim_text.match(/`[^`]+`/g)?.length ?? 0
  const weight = (length > 35 ? 2 : length > 18 ? 1 : 0) + Math.min(2, conditions) + (code > 2 ? 1 : 0)
  return weight >= 3 ? "complex" : weight >= 1 ? "medium" : "simple"
}

const PERSONAS: Readonly<Record<string, string>> = {
  api: "Application developer",
  workflow: "Developer following a procedure",
  format: "Data engineer",
  limitation: "Technical lead assessing fit",
}

const personaOf = (claim: PromptClaim): string =>
  PERSONAS[claim.claim_kind] ??
  (audienceOf(claim) === "advanced" ? "Senior developer" : "Developer evaluating the product")

/** What a claim is about, in a few words of its own: its first code span, else its first words. */
const subjectOf = (claim: PromptClaim): string => {
  const code = /`([^`\n]{2,40})`/.exec(claim.claim_text)?.[1]
  if (code !== undefined && code.trim() !== "") return code.trim()
  const plain = claim.claim_text.replace(/[`*_[\]()#>]/g, " ")
  const opening = words(plain)
    .slice(0, 7)
    .join(" ")
    .replace(/[.,;:!?]+$/, "")
  return opening === "" ? "this capability" : opening
}

const USE_CASES: Readonly<Record<string, readonly [string, string]>> = {
  api: ["Call it from application code", "Look up its exact name and behaviour"],
  workflow: ["Follow the procedure step by step", "Automate the procedure in a script"],
  format: ["Exchange data in this format", "Check that existing files are supported"],
  limitation: ["Decide whether the product fits", "Plan around the limit"],
}
const FEATURE_USE_CASES: readonly [string, string] = [
  "Decide whether the product fits",
  "Explain the feature to a team",
]

const useCasesOf = (claim: PromptClaim): ReadonlyArray<string> => {
  const subject = subjectOf(claim)
  return (USE_CASES[claim.claim_kind] ?? FEATURE_USE_CASES).map((useCase) => `${useCase}: ${subject}`)
}

/** The claims that a reader needs first: how to install comes before everything that is used. At most two, in order. */
const prerequisitesOf = (claim: PromptClaim, all: ReadonlyArray<PromptClaim>): ReadonlyArray<string> => {
  if (INSTALLS.test(claim.claim_text) || (claim.claim_kind !== "workflow" && claim.claim_kind !== "api")) return []
  return all
    .filter((other) => other.claim_id !== claim.claim_id && INSTALLS.test(other.claim_text))
    .map((other) => other.claim_id)
    .sort()
    .slice(0, 2)
}

/**
 * Enrichment by rule, without a model: the same claim among the same claims always gets the same. `all` are the claims
 * among which prerequisites are sought.
 */
export const heuristic = (claim: PromptClaim, all: ReadonlyArray<PromptClaim>): Enrichment => ({
  claim_id: claim.claim_id,
  audience_level: audienceOf(claim),
  complexity: complexityOf(claim),
  prerequisites: prerequisitesOf(claim, all),
  use_cases: useCasesOf(claim),
  target_persona: personaOf(claim),
})

/** {@link heuristic} for each claim, in order. */
export const heuristics = (claims: ReadonlyArray<PromptClaim>): EnrichmentAnswer => ({
  claims: claims.map((claim) => heuristic(claim, claims)),
})
