import type { PromptClaim, PromptSnippet, WriteSection } from "../domain/PromptData.js"

type Topic = "install" | "usage" | "limits" | "api" | "format" | "features"

const TOPICS: ReadonlyArray<readonly [Topic, RegExp]> = [
  ["limits", /limit|caveat|known issue|troubleshoot|restriction|problem|not supported/i],
  ["install", /install|set ?up|prerequisite|requirement|before you/i],
  ["api", /\bapi\b|reference|function|class|method|symbol|interface|export/i],
  ["format", /format|compatib|support|platform|version/i],
  ["usage", /usage|use|how|quick|start|example|step|workflow|guide|tutorial|next/i],
  ["features", /feature|overview|what|why|about|benefit|capabilit|highlight|introduc|question/i],
]

const CLAIM_TOPICS: Readonly<Record<string, Topic>> = {
  limitation: "limits",
  workflow: "usage",
  api: "api",
  format: "format",
  feature: "features",
}

const INSTALL =
  /\b(npm (i|install|add)|yarn add|pnpm (i|add)|pip install|cargo (add|install)|go get|install(s|ed|ing)?)\b/i
const SHELL = /^(sh|bash|shell|console|zsh|terminal|powershell)$/i
const MAX_SNIPPETS = 6

const cleanHeading = (heading: string): string =>
  heading
    .replace(/^[#\s]+/, "")
    .replace(/\s+/g, " ")
    .trim()

const topicOfHeading = (heading: string): Topic | undefined => TOPICS.find(([, pattern]) => pattern.test(heading))?.[0]

const topicOfClaim = (claim: PromptClaim): Topic =>
  claim.claim_kind !== "limitation" && INSTALL.test(claim.claim_text)
    ? "install"
    : (CLAIM_TOPICS[claim.claim_kind] ?? "features")

const RELATED: Readonly<Record<Topic, ReadonlyArray<Topic>>> = {
  install: ["usage"],
  usage: ["install", "api"],
  limits: ["format"],
  api: ["usage", "features"],
  format: ["features", "limits"],
  features: ["usage", "format"],
}

const longWords = (text: string): ReadonlySet<string> => new Set(text.toLowerCase().match(/[a-z]{4,}/g) ?? [])

const overlap = (left: ReadonlySet<string>, right: ReadonlySet<string>): number =>
  [...left].filter((word) => right.has(word)).length

/** How well a claim stands under a heading: what the plan says of it, then its topic, then the words that they share. */
const fitness = (claim: PromptClaim, heading: string): number => {
  if (claim.heading !== undefined && cleanHeading(claim.heading) === heading) return Number.POSITIVE_INFINITY
  const topic = topicOfHeading(heading)
  const own = topicOfClaim(claim)
  const related = topic === undefined ? -1 : RELATED[own].indexOf(topic)
  const byTopic = topic === own ? 10 : related < 0 ? 0 : 5 - related
  return byTopic + overlap(longWords(claim.claim_text), longWords(heading))
}

interface Part {
  readonly heading: string
  readonly claims: ReadonlyArray<PromptClaim>
  readonly snippets: ReadonlyArray<PromptSnippet>
}

const best = <A>(candidates: ReadonlyArray<A>, score: (candidate: A) => number): A | undefined =>
  candidates.reduce<{ readonly candidate: A | undefined; readonly score: number }>(
    (chosen, candidate) => (score(candidate) > chosen.score ? { candidate, score: score(candidate) } : chosen),
    { candidate: undefined, score: Number.NEGATIVE_INFINITY },
  ).candidate

const snippetFitness = (snippet: PromptSnippet, heading: string): number => {
  const topic = topicOfHeading(heading)
  const installs = SHELL.test(snippet.language) || INSTALL.test(snippet.code)
  const wanted: ReadonlyArray<Topic | undefined> = installs ? ["install", "usage"] : ["usage", "api", "features"]
  const rank = wanted.indexOf(topic)
  return rank < 0 ? 0 : 10 - rank
}

/** Each claim and snippet under the one heading that it fits best. */
const parts = (section: WriteSection, headings: ReadonlyArray<string>): ReadonlyArray<Part> => {
  const claims = [...new Map(section.claims.map((claim) => [claim.claim_id, claim])).values()]
  const snippets = [...new Map(section.snippets.map((snippet) => [snippet.code.trim(), snippet])).values()]
    .filter((snippet) => snippet.code.trim() !== "")
    .slice(0, MAX_SNIPPETS)
  const claimPlace = new Map(
    claims.map((claim) => [claim, best(headings, (heading) => fitness(claim, heading))] as const),
  )
  const snippetPlace = new Map(
    snippets.map((snippet) => [snippet, best(headings, (heading) => snippetFitness(snippet, heading))] as const),
  )
  return headings.map((heading) => ({
    heading,
    claims: claims.filter((claim) => claimPlace.get(claim) === heading),
    snippets: snippets.filter((snippet) => snippetPlace.get(snippet) === heading),
  }))
}

/** A claim as one line of prose: no line breaks, no marker of its own, no mark that Markdown would read as structure. */
const sentence = (text: string): string => {
  const line = text
    .replace(/\s+/g, " ")
    .replace(/\[claim:/gi, "(claim:")
    .replace(/^([-*+>#=|~]+|\d+[.)])\s+/, "")
    .trim()
  return /[.!?:]["')`*_]*$/.test(line) ? line.replace(/:$/, ".") : `${line}.`
}

const cited = (claim: PromptClaim): string => `${sentence(claim.claim_text)} [claim: ${claim.claim_id}]`

const fence = (snippet: PromptSnippet): string => {
  const longest = Math.max(2, ...[...snippet.code.matchAll(/`+/g)].map((run) => run[0].length))
  const ticks = "`".repeat(longest + 1)
  const language = /^[\w+#.-]+$/.test(snippet.language) ? snippet.language : ""
  return `From \`${snippet.source_path.replace(/[`\s]+/g, " ")}\`:\n\n${ticks}${language}\n${snippet.code.replace(/\n+$/, "")}\n${ticks}`
}

const MAX_PARAGRAPH_CLAIMS = 2

const body = ({ claims, heading, snippets }: Part): ReadonlyArray<string> => {
  const lines = claims.map(cited)
  const prose =
    lines.length === 0
      ? []
      : lines.length <= MAX_PARAGRAPH_CLAIMS
        ? [lines.join(" ")]
        : [lines.map((line) => `- ${line}`).join("\n")]
  const blocks = [...prose, ...snippets.map(fence)]
  return [`## ${heading}`, ...(blocks.length === 0 ? ["*The sources say nothing on this.*"] : blocks)]
}

interface Opening {
  readonly blocks: ReadonlyArray<string>
  readonly used: ReadonlyArray<PromptClaim>
}

/** Where the plan puts claims under headings, those without one open the page. */
const plannedOpening = (section: WriteSection): Opening => {
  const used = section.claims.filter((claim) => claim.heading === undefined)
  return { blocks: used.length === 0 ? [] : [used.map(cited).join(" ")], used }
}

/** The section's first words: what the page is for, and the claim that says most of what the product is. */
const guessedOpening = (section: WriteSection): Opening => {
  const first = section.claims.find((claim) => claim.claim_kind === "feature" && claim.claim_text.length >= 40)
  const purpose = section.purpose.trim() === "" ? section.title : section.purpose
  const used = first === undefined ? [] : [first]
  return { blocks: [sentence(purpose), ...used.map(cited)], used }
}

/**
 * A page's Markdown made of nothing but its claims: an opening, the required headings in their order with the claims that
 * fit each, every claim once and with its marker, snippets in fences.
 */
export const write = (section: WriteSection): string => {
  const headings = [...new Set(section.required_headings.map(cleanHeading).filter((heading) => heading !== ""))]
  const isPlanned = section.claims.some((claim) => claim.heading !== undefined)
  const { blocks, used } = isPlanned ? plannedOpening(section) : guessedOpening(section)
  const opened = new Set(used.map((claim) => claim.claim_id))
  const rest: WriteSection = { ...section, claims: section.claims.filter((claim) => !opened.has(claim.claim_id)) }
  const chapters = parts(rest, headings.length === 0 ? ["Overview"] : headings)
  return [...blocks, ...chapters.flatMap(body)].join("\n\n")
}
