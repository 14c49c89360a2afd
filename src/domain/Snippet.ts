import * as Schema from "effect/Schema"
import { sha256Hex } from "./CanonicalJson.js"
import { compareText } from "./Claim.js"

/** A piece of code as it stands in the repository. Lines count from 1, both ends included. */
export const Snippet = Schema.Struct({
  snippet_id: Schema.NonEmptyString,
  language: Schema.String,
  tags: Schema.Array(Schema.String),
  source: Schema.Struct({
    path: Schema.NonEmptyString,
    start_line: Schema.Int.pipe(Schema.positive()),
    end_line: Schema.Int.pipe(Schema.positive()),
  }),
  code: Schema.String,
})
export type Snippet = typeof Snippet.Type

/** `artifacts/snippet_catalog.json`. */
export const SnippetCatalog = Schema.Struct({
  product_slug: Schema.String,
  snippets: Schema.Array(Snippet),
})
export type SnippetCatalog = typeof SnippetCatalog.Type

const LANGUAGES: Readonly<Record<string, string>> = {
  js: "javascript",
  mjs: "javascript",
  cjs: "javascript",
  node: "javascript",
  ts: "typescript",
  sh: "bash",
  shell: "bash",
  console: "bash",
  zsh: "bash",
  yml: "yaml",
  py: "python",
  rs: "rust",
  md: "markdown",
}

/** The language as a fence spells it, in one spelling; `text` when the fence names none. */
export const fenceLanguage = (info: string | null | undefined): string => {
  const word =
    (info ?? "")
      .trim()
      .toLowerCase()
      .split(/[\s,{:]/)[0] ?? ""
  if (!/^[a-z0-9#+_-]+$/.test(word)) return "text"
  return (Object.hasOwn(LANGUAGES, word) ? LANGUAGES[word] : word) ?? "text"
}

const INSTALLS =
  /(?:^|\n)\s*(?:[$>#]\s*)?(?:npm (?:i|install|add)|pnpm (?:i|install|add)|yarn (?:add|install)|bun add|npx|pip3? install|cargo (?:add|install)|go (?:get|install)|brew install|apt(?:-get)? install|gem install|composer require|deno add)\b/

const TAG_RULES: ReadonlyArray<readonly [RegExp, string]> = [
  [/install|set ?up/i, "install"],
  [/quick ?start|getting started|usage|basic/i, "quickstart"],
  [/\bapi\b|reference|method|function|class|option/i, "api"],
  [/config/i, "configuration"],
  [/example|demo/i, "example"],
  [/\bcli\b|command/i, "cli"],
]

/** What a snippet is good for, by its code, the headings above it and where it stands. Sorted. */
export const tagsOf = (
  language: string,
  code: string,
  headings: ReadonlyArray<string>,
  isExample: boolean,
): ReadonlyArray<string> => {
  const tags = TAG_RULES.filter(([rule]) => headings.some((heading) => rule.test(heading))).map(([, tag]) => tag)
  const isCommand = language === "bash" || language === "text"
  const installs = isCommand && INSTALLS.test(code)
  return [
    ...new Set([
      ...tags.filter((tag) => tag !== "install" || installs),
      ...(installs ? ["install"] : []),
      ...(isExample ? ["example"] : []),
      language,
    ]),
  ].sort(compareText)
}

/** First twelve hex digits of the sha256 of language and code: equal code has one id. */
export const snippetId = (language: string, code: string): string => sha256Hex(`${language}\n${code}`).slice(0, 12)

/** One snippet an id, the first one met, with everyone's tags; in the order met. */
export const dedupe = (snippets: Iterable<Snippet>): ReadonlyArray<Snippet> => {
  const byId = new Map<string, Snippet>()
  for (const snippet of snippets) {
    const known = byId.get(snippet.snippet_id)
    const tags = [...new Set([...(known?.tags ?? []), ...snippet.tags])].sort(compareText)
    byId.set(snippet.snippet_id, { ...(known ?? snippet), tags })
  }
  return [...byId.values()]
}
