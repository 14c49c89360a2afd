import { type Claim, compareText } from "./Claim.js"
import type { ProductFacts } from "./Facts.js"

/** What pages are planned from. */
export interface PlanInput {
  readonly facts: ProductFacts
  /** The headings above each claim of prose, by claim id, in reading order: the most relevant document first. */
  readonly headings: ReadonlyMap<string, ReadonlyArray<string>>
}

type Fits = (claim: Claim) => boolean

/** The claims that have no page yet, in reading order. */
export interface Shelf {
  readonly look: (fits: Fits) => ReadonlyArray<Claim>
  readonly take: (fits: Fits, most: number) => ReadonlyArray<string>
  readonly left: () => number
}

/** All claims, none taken. */
export const shelf = ({ facts, headings }: PlanInput): Shelf => {
  const order = [...headings.keys(), ...facts.api_surface_summary.symbols.map((symbol) => symbol.claim_id)]
  const rank = new Map([...order].reverse().map((id, position) => [id, order.length - position]))
  const place = (claim: Claim): number => rank.get(claim.claim_id) ?? order.length + 1
  const sorted = facts.claims.toSorted(
    (left, right) => place(left) - place(right) || compareText(left.claim_id, right.claim_id),
  )
  const taken = new Set<string>()
  const look = (fits: Fits) => sorted.filter((claim) => !taken.has(claim.claim_id) && fits(claim))
  return {
    look,
    take: (fits, most) => {
      const ids = look(fits)
        .slice(0, most)
        .map((claim) => claim.claim_id)
      for (const id of ids) taken.add(id)
      return ids
    },
    left: () => sorted.length - taken.size,
  }
}

const TASK =
  /^(?:how to|using|creating|adding|configuring|customi[sz]ing|writing|building|handling|working with|running|deploying|integrating|extending|enabling|defining|loading|debugging)\b/i
/** Statements that a manifest's fields make. */
export const STATED = / (?:requires|provides the command) /
const FAQ = /\bfaqs?\b|frequently asked/i
const TROUBLE =
  /troubleshoot|common (?:errors|problems|issues|mistakes|pitfalls)|known (?:issues|problems|limitations)|caveats|limitations|gotchas|pitfalls/i

const isQuestion = (heading: string): boolean => /\?$/.test(heading.trim())
const isTask = (heading: string): boolean =>
  TASK.test(heading) && heading.split(" ").length <= 9 && !isQuestion(heading)

/** What several recipes ask of a claim. */
export const rules = ({ facts, headings }: PlanInput) => {
  const above = (claim: Claim): ReadonlyArray<string> => headings.get(claim.claim_id) ?? []
  const groups = facts.claim_groups
  const sets = new Map(Object.entries(groups).map(([name, ids]) => [name, new Set(ids)]))
  const symbols = new Set(facts.api_surface_summary.symbols.map((symbol) => symbol.claim_id))
  const topic = (claim: Claim, fits: (heading: string) => boolean) => above(claim).findLast(fits)
  return {
    inGroup: (name: keyof typeof groups) => (claim: Claim) => sets.get(name)?.has(claim.claim_id) ?? false,
    isKind: (kind: Claim["claim_kind"]) => (claim: Claim) => claim.claim_kind === kind,
    isSymbol: (claim: Claim) => symbols.has(claim.claim_id),
    /** Said at the root or in the documentation's own folder, not beside some part of the code. */
    isFront: (claim: Claim) =>
      claim.citations.some(({ path }) => /^(?:(?:docs?|documentation|guides?)\/)?[^/]+$/i.test(path)),
    fromManifest: (claim: Claim) => claim.source_priority === 1,
    question: (claim: Claim) => topic(claim, isQuestion),
    isFaq: (claim: Claim) => above(claim).some((heading) => FAQ.test(heading)),
    task: (claim: Claim) => topic(claim, isTask),
    isTrouble: (claim: Claim) => above(claim).some((heading) => TROUBLE.test(heading)),
  }
}

export type Rules = ReturnType<typeof rules>
