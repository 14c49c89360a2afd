import * as Schema from "effect/Schema"
import { Sha256 } from "./Ids.js"

/** The parts of a product's documentation, in the order in which they take claims. */
export const Section = Schema.Literal("products", "docs", "kb", "reference", "blog")
export type Section = typeof Section.Type

/** A heading of a page and the claims that belong under it; the empty heading is what stands before the first one. */
export const OutlinePart = Schema.Struct({
  heading: Schema.String,
  claim_ids: Schema.Array(Sha256),
})
export type OutlinePart = typeof OutlinePart.Type

/** A page to be written. `required_headings` and `required_claim_ids` are those of `outline`, in order. */
export const Page = Schema.Struct({
  section: Section,
  slug: Schema.NonEmptyString,
  /** Relative to the run's folder. */
  output_path: Schema.NonEmptyString,
  title: Schema.NonEmptyString,
  purpose: Schema.String,
  page_role: Schema.Literal(
    "landing",
    "tutorial",
    "guide",
    "reference",
    "how_to",
    "faq",
    "troubleshooting",
    "announcement",
  ),
  required_headings: Schema.Array(Schema.String),
  required_claim_ids: Schema.Array(Sha256),
  required_snippet_tags: Schema.Array(Schema.String),
  outline: Schema.Array(OutlinePart),
})
export type Page = typeof Page.Type

/** `artifacts/page_plan.json`. `unplaced_claims` found no page, because pages are kept short. */
export const PagePlan = Schema.Struct({
  product_slug: Schema.String,
  pages: Schema.Array(Page),
  unplaced_claims: Schema.NonNegativeInt,
})
export type PagePlan = typeof PagePlan.Type

/** Where a page's call and file get their name from. */
export const callId = (page: Pick<Page, "section" | "slug">): string => `section_writer_${page.section}-${page.slug}`

export interface PageParts {
  readonly section: Section
  readonly slug: string
  readonly title: string
  readonly purpose: string
  readonly page_role: Page["page_role"]
  readonly required_snippet_tags: ReadonlyArray<string>
  readonly outline: ReadonlyArray<OutlinePart>
}

/** A page of its outline; headings without a claim fall away. */
export const makePage = (parts: PageParts): Page => {
  const outline = parts.outline.filter((part) => part.claim_ids.length > 0)
  return {
    ...parts,
    outline,
    output_path: `drafts/${parts.section}/${parts.slug}.md`,
    required_headings: outline.map((part) => part.heading).filter((heading) => heading !== ""),
    required_claim_ids: [...new Set(outline.flatMap((part) => part.claim_ids))],
  }
}
