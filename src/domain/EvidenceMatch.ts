import { type Claim, compareText } from "./Claim.js"
import type { Evidence } from "./Facts.js"

/** A stretch of a document or an example that may speak of a claim. */
export interface EvidencePassage {
  readonly path: string
  readonly startLine: number
  readonly endLine: number
  readonly kind: Evidence["kind"]
  readonly text: string
}

const STOP = new Set(
  "a an the and or but if then than that this these those it its is are was were be been being to of in on at by for with from as into can could may might will would should must not no you your we our they their which who what when where how all any each some more most other such only also just than very there here has have had do does did use used using module package exports function".split(
    " ",
  ),
)

/** What a text is about: its words without the common ones, code taken apart. */
export const terms = (text: string): ReadonlySet<string> =>
  new Set(
    text
      .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .map((word) => (word.length > 4 ? word.replace(/(?:ies|s)$/, "") : word))
      .filter((word) => word.length > 1 && !STOP.has(word)),
  )

/** Passages kept for a claim at most, and the least score. */
export const MAX_EVIDENCE = 3
export const MIN_SCORE = 0.5

interface Index {
  readonly passages: ReadonlyArray<EvidencePassage>
  readonly byTerm: ReadonlyMap<string, ReadonlyArray<number>>
}

const indexOf = (passages: ReadonlyArray<EvidencePassage>): Index => {
  const byTerm = new Map<string, Array<number>>()
  passages.forEach((passage, position) => {
    for (const term of terms(passage.text)) {
      const known = byTerm.get(term)
      if (known === undefined) byTerm.set(term, [position])
      else known.push(position)
    }
  })
  return { passages, byTerm }
}

const weight = (index: Index, term: string): number =>
  Math.log(1 + index.passages.length / (1 + (index.byTerm.get(term)?.length ?? 0)))

const best = (index: Index, claim: Claim): ReadonlyArray<Evidence> => {
  const scores = new Map<number, number>()
  let total = 0
  for (const term of terms(claim.claim_text)) {
    const worth = weight(index, term)
    total += worth
    for (const position of index.byTerm.get(term) ?? []) scores.set(position, (scores.get(position) ?? 0) + worth)
  }
  return [...scores]
    .flatMap(([position, sum]): ReadonlyArray<Evidence> => {
      const passage = index.passages[position]
      const score = total === 0 ? 0 : Math.round((Math.min(sum, total) / total) * 100) / 100
      if (passage === undefined || score < MIN_SCORE) return []
      return [
        { path: passage.path, start_line: passage.startLine, end_line: passage.endLine, kind: passage.kind, score },
      ]
    })
    .sort(
      (left, right) =>
        right.score - left.score || compareText(left.path, right.path) || left.start_line - right.start_line,
    )
    .slice(0, MAX_EVIDENCE)
}

/**
 * The passages that say most of what each claim says, best first: the share of the claim's terms that a passage has, rare
 * terms counting more. Does not depend on the order of the passages.
 */
export const match = (
  claims: ReadonlyArray<Claim>,
  passages: ReadonlyArray<EvidencePassage>,
): ReadonlyArray<{ readonly claim_id: string; readonly evidence: ReadonlyArray<Evidence> }> => {
  const index = indexOf(passages)
  return claims.map((claim) => ({ claim_id: claim.claim_id, evidence: best(index, claim) }))
}
