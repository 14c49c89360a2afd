import { stringify } from "yaml"
import { type Claim, marker } from "./Claim.js"
import type { Page } from "./PagePlan.js"
import type { Snippet } from "./Snippet.js"

/** Snippets that a page shows at most. */
export const MAX_PAGE_SNIPPETS = 4

/** Longer code is for its own file, not for a page. */
const MAX_PAGE_SNIPPET_LINES = 30

const sentence = (text: string): string => (/[.!?]["'”’)`]*$/.test(text) ? text : `${text}.`)

/** A claim as a line of a page, with its marker. */
export const cite = (claim: Claim): string => `${sentence(claim.claim_text)} ${marker(claim.claim_id)}`

const fence = (snippet: Snippet): string => {
  const longest = Math.max(2, ...[...snippet.code.matchAll(/`+/g)].map(([run]) => run.length))
  const ticks = "`".repeat(longest + 1)
  return `${ticks}${snippet.language === "text" ? "" : snippet.language}\n${snippet.code.replace(/\s+$/, "")}\n${ticks}`
}

const HOME: ReadonlyArray<readonly [RegExp, string]> = [
  [/^(?:installation|try it)$/i, "install"],
  [/^(?:first steps|key features|working with .*|highlights|steps)$/i, "quickstart"],
  [/^(?:methods and options|behaviour to know|functions)$/i, "api"],
]

const isShort = (snippet: Snippet): boolean => snippet.code.split("\n").length <= MAX_PAGE_SNIPPET_LINES

/** Under which heading a snippet belongs; undefined when the page has no place for it. */
const homeOf = (snippet: Snippet, page: Page): string | undefined => {
  const wanted = HOME.filter(([, tag]) => snippet.tags.includes(tag)).map(([rule]) => rule)
  return wanted
    .map((rule) => page.required_headings.find((heading) => rule.test(heading)))
    .find((heading) => heading !== undefined)
}

/** The snippets that serve a page: those with a wanted tag, in the order of the tags, each once. */
export const snippetsFor = (page: Page, snippets: ReadonlyArray<Snippet>): ReadonlyArray<Snippet> =>
  [
    ...new Set(
      page.required_snippet_tags.flatMap((tag) =>
        snippets
          .filter((snippet) => snippet.tags.includes(tag) && isShort(snippet) && homeOf(snippet, page) !== undefined)
          .slice(0, 2),
      ),
    ),
  ].slice(0, MAX_PAGE_SNIPPETS)

/** A page's body assembled from its claims alone: the outline's headings, the claims under each, the snippets where they belong. */
export const body = (page: Page, claims: ReadonlyMap<string, Claim>, snippets: ReadonlyArray<Snippet>): string => {
  const part = ({ heading, claim_ids }: Page["outline"][number]): ReadonlyArray<string> => {
    const lines = claim_ids.flatMap((id) => {
      const claim = claims.get(id)
      return claim === undefined ? [] : [cite(claim)]
    })
    if (heading === "") return lines
    const code = snippets.filter((snippet) => homeOf(snippet, page) === heading).map(fence)
    const prose = lines.length === 1 ? lines : [lines.map((line) => `- ${line}`).join("\n")]
    return [`## ${heading}`, ...prose, ...code]
  }
  return page.outline.flatMap(part).join("\n\n")
}

const permalink = (productSlug: string, page: Page): string => `/${productSlug}/${page.section}/${page.slug}/`

/** The whole file: frontmatter (title, description, permalink), then the body. Equal input gives equal bytes. */
export const file = (productSlug: string, page: Page, markdown: string, generatedBy: "llm" | "template"): string => {
  const frontmatter = stringify(
    {
      title: page.title,
      description: page.purpose,
      permalink: permalink(productSlug, page),
      generated_by: generatedBy,
    },
    { lineWidth: 0 },
  )
  return `---\n${frontmatter}---\n\n${markdown.trim()}\n`
}
