import type { Claim } from "./Claim.js"
import { type PlanInput, type Rules, rules, type Shelf, STATED, shelf } from "./ClaimShelf.js"
import { slug } from "./Ids.js"
import { makePage, type Page } from "./PagePlan.js"

const MAX_HOW_TO = 4
const MIN_HOW_TO_CLAIMS = 3
const MAX_QUESTIONS = 10
const MIN_QUESTIONS = 2

const topics = (
  claims: ReadonlyArray<Claim>,
  of: (claim: Claim) => string | undefined,
): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const claim of claims) {
    const name = of(claim)
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return counts
}

/** The product's own words on what it is: its manifest's description, else the first thing that its README says. */
const openingClaim = (claims: Shelf, rule: Rules): string | undefined => {
  const prose = claims.look((claim) => !rule.isSymbol(claim) && claim.claim_kind !== "limitation")
  const described = prose.find((claim) => rule.fromManifest(claim) && !STATED.test(claim.claim_text))
  return (described ?? prose[0])?.claim_id
}

const faqPage = (claims: Shelf, rule: Rules, product: string): ReadonlyArray<Page> => {
  const asked = [
    ...topics(
      claims.look((claim) => !rule.isSymbol(claim)),
      rule.question,
    ).keys(),
  ].slice(0, MAX_QUESTIONS)
  if (asked.length < MIN_QUESTIONS) return []
  return [
    makePage({
      section: "kb",
      slug: "faq",
      title: `${product}: questions and answers`,
      purpose: `Answers to the questions that the documentation of ${product} itself raises.`,
      page_role: "faq",
      required_snippet_tags: [],
      outline: asked.map((question) => ({
        heading: question,
        claim_ids: claims.take((claim) => rule.question(claim) === question, 5),
      })),
    }),
  ]
}

const howToPages = (claims: Shelf, rule: Rules, product: string): ReadonlyArray<Page> =>
  [
    ...topics(
      claims.look((claim) => !rule.isSymbol(claim) && claim.claim_kind !== "limitation"),
      rule.task,
    ),
  ]
    .filter(([, count]) => count >= MIN_HOW_TO_CLAIMS)
    .slice(0, MAX_HOW_TO)
    .map(([task]) => {
      const name = task.replace(/^how to\s+/i, "")
      return makePage({
        section: "kb",
        slug: `how-to-${slug(name)}`,
        title: `${product}: ${task.charAt(0).toUpperCase()}${task.slice(1)}`,
        purpose: `What to know and do for one task with ${product}: ${task}.`,
        page_role: "how_to",
        required_snippet_tags: ["example"],
        outline: [
          {
            heading: "Steps",
            claim_ids: claims.take((claim) => rule.task(claim) === task && rule.isKind("workflow")(claim), 8),
          },
          {
            heading: "What to know",
            claim_ids: claims.take((claim) => rule.task(claim) === task && !rule.isKind("limitation")(claim), 10),
          },
          { heading: "Limits", claim_ids: claims.take((claim) => rule.task(claim) === task, 4) },
        ],
      })
    })

const overviewPage = (claims: Shelf, rule: Rules, product: string, opening: ReadonlyArray<string>): Page =>
  makePage({
    section: "products",
    slug: "overview",
    title: `${product}: overview`,
    purpose: `What ${product} is, what it offers and where its limits are.`,
    page_role: "landing",
    required_snippet_tags: ["quickstart"],
    outline: [
      { heading: "", claim_ids: opening },
      {
        heading: "Key features",
        claim_ids: claims.take(
          (claim) =>
            rule.inGroup("key_features")(claim) &&
            rule.isFront(claim) &&
            !rule.inGroup("compatibility_notes")(claim) &&
            !STATED.test(claim.claim_text),
          10,
        ),
      },
      {
        heading: "Formats and standards",
        claim_ids: claims.take((claim) => rule.isKind("format")(claim) && rule.isFront(claim), 5),
      },
      {
        heading: "Compatibility",
        claim_ids: claims.take(
          (claim) =>
            rule.inGroup("compatibility_notes")(claim) &&
            !rule.isKind("limitation")(claim) &&
            !rule.inGroup("install_steps")(claim) &&
            !rule.fromManifest(claim),
          6,
        ),
      },
      {
        heading: "Limitations",
        claim_ids: claims.take((claim) => rule.isKind("limitation")(claim) && !rule.isTrouble(claim), 5),
      },
    ],
  })

const gettingStartedPage = (claims: Shelf, rule: Rules, product: string): Page =>
  makePage({
    section: "docs",
    slug: "getting-started",
    title: `Getting started with ${product}`,
    purpose: `How to install ${product} and take the first steps with it.`,
    page_role: "tutorial",
    required_snippet_tags: ["install", "quickstart"],
    outline: [
      {
        heading: "Before you start",
        claim_ids: claims.take(
          (claim) => rule.inGroup("compatibility_notes")(claim) && !rule.isKind("limitation")(claim),
          5,
        ),
      },
      { heading: "Installation", claim_ids: claims.take((claim) => rule.inGroup("install_steps")(claim), 6) },
      { heading: "First steps", claim_ids: claims.take((claim) => rule.inGroup("quickstart_steps")(claim), 8) },
      { heading: "Commands", claim_ids: claims.take(rule.fromManifest, 5) },
    ],
  })

const developerGuidePage = (claims: Shelf, rule: Rules, product: string): Page =>
  makePage({
    section: "docs",
    slug: "developer-guide",
    title: `${product} developer guide`,
    purpose: `How ${product} behaves and how to work with it in code.`,
    page_role: "guide",
    required_snippet_tags: ["api", "example"],
    outline: [
      { heading: `Working with ${product}`, claim_ids: claims.take(rule.isKind("workflow"), 12) },
      { heading: "Behaviour to know", claim_ids: claims.take(rule.isKind("feature"), 16) },
      { heading: "Formats", claim_ids: claims.take(rule.isKind("format"), 8) },
    ],
  })

const troubleshootingPage = (claims: Shelf, rule: Rules, product: string): ReadonlyArray<Page> => {
  const trouble = (claim: Claim) => rule.isKind("limitation")(claim) || rule.isTrouble(claim)
  if (claims.look(trouble).length < 2) return []
  return [
    makePage({
      section: "kb",
      slug: "troubleshooting",
      title: `${product}: limits and troubleshooting`,
      purpose: `What ${product} does not do, and what to look at when something goes wrong.`,
      page_role: "troubleshooting",
      required_snippet_tags: [],
      outline: [
        { heading: "Known limits", claim_ids: claims.take(rule.isKind("limitation"), 14) },
        { heading: "When something goes wrong", claim_ids: claims.take(rule.isTrouble, 8) },
      ],
    }),
  ]
}

const referencePage = (claims: Shelf, rule: Rules, input: PlanInput): Page => {
  const kinds = new Map(input.facts.api_surface_summary.symbols.map((symbol) => [symbol.claim_id, symbol.kind]))
  const exported =
    (...wanted: ReadonlyArray<string>) =>
    (claim: Claim) =>
      wanted.includes(kinds.get(claim.claim_id) ?? "")
  const product = input.facts.product_name
  return makePage({
    section: "reference",
    slug: "api-overview",
    title: `${product} API overview`,
    purpose: `The names that ${product} exports, and what its documentation says about them.`,
    page_role: "reference",
    required_snippet_tags: ["api"],
    outline: [
      {
        heading: "Methods and options",
        claim_ids: claims.take((claim) => rule.isKind("api")(claim) && !rule.isSymbol(claim), 16),
      },
      { heading: "Functions", claim_ids: claims.take(exported("function"), 25) },
      { heading: "Classes", claim_ids: claims.take(exported("class"), 12) },
      { heading: "Types", claim_ids: claims.take(exported("interface", "type", "enum", "namespace"), 12) },
      { heading: "Constants", claim_ids: claims.take(exported("constant"), 10) },
    ],
  })
}

/** The announcement repeats what other pages say. */
const announcementPage = (input: PlanInput, opening: string | undefined): ReadonlyArray<Page> => {
  const rule = rules(input)
  const claims = shelf(input)
  const first = claims.take((claim) => claim.claim_id === opening, 1)
  const highlights = claims.take(
    (claim) =>
      rule.inGroup("key_features")(claim) &&
      rule.isFront(claim) &&
      rule.question(claim) === undefined &&
      !STATED.test(claim.claim_text),
    6,
  )
  if (highlights.length < 3) return []
  const product = input.facts.product_name
  return [
    makePage({
      section: "blog",
      slug: "announcement",
      title: `Introducing ${product}`,
      purpose: `A short introduction to ${product} for people who have not met it.`,
      page_role: "announcement",
      required_snippet_tags: ["install"],
      outline: [
        { heading: "", claim_ids: first },
        { heading: "Highlights", claim_ids: highlights },
        { heading: "Before you adopt it", claim_ids: claims.take((claim) => rule.isKind("limitation")(claim), 3) },
        { heading: "Try it", claim_ids: claims.take((claim) => rule.inGroup("install_steps")(claim), 2) },
      ],
    }),
  ]
}

/** The pages that the claims can carry, and how many claims found none. Every claim has one home; only the announcement repeats. */
export const plan = (input: PlanInput): { readonly pages: ReadonlyArray<Page>; readonly unplaced: number } => {
  const rule = rules(input)
  const claims = shelf(input)
  const product = input.facts.product_name
  const opening = openingClaim(claims, rule)
  // Questions and tasks have pages of their own only when there are enough of them: they choose first, and stand later.
  const held = claims.take((claim) => claim.claim_id === opening, 1)
  const faq = faqPage(claims, rule, product)
  const howTo = howToPages(claims, rule, product)
  const overview = overviewPage(claims, rule, product, held)
  const guides = [gettingStartedPage(claims, rule, product), developerGuidePage(claims, rule, product)]
  const troubleshooting = troubleshootingPage(claims, rule, product)
  const pages = [
    overview,
    ...guides,
    ...howTo,
    ...faq,
    ...troubleshooting,
    referencePage(claims, rule, input),
    ...announcementPage(input, opening),
  ].filter((page) => page.required_claim_ids.length > 0)
  return { pages, unplaced: claims.left() }
}
