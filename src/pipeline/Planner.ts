import * as Effect from "effect/Effect"
import * as PagePlan from "../domain/PagePlan.js"
import * as PageRecipes from "../domain/PageRecipes.js"
import * as Redaction from "../domain/Redaction.js"
import * as Snippet from "../domain/Snippet.js"
import * as Artifacts from "./Artifacts.js"
import type * as Documents from "./Documents.js"
import type { Built } from "./FactsBuilder.js"

export const WORKER = "W4.Planner"

/** Snippets that the catalog keeps at most, and their longest and shortest code. */
const MAX_SNIPPETS = 400
const MAX_SNIPPET_CHARACTERS = 4000
const MIN_SNIPPET_CHARACTERS = 8
/** What is shown of an example file. */
const EXAMPLE_LINES = 60

export interface Planned {
  readonly plan: PagePlan.PagePlan
  readonly catalog: Snippet.SnippetCatalog
}

const isUsable = (snippet: Snippet.Snippet): boolean =>
  snippet.code.trim().length >= MIN_SNIPPET_CHARACTERS && snippet.code.length <= MAX_SNIPPET_CHARACTERS

const fromDocument = ({ path, markdown }: Documents.Document): ReadonlyArray<Snippet.Snippet> =>
  markdown.codeBlocks.map((block) => {
    const language = Snippet.fenceLanguage(block.info)
    return {
      snippet_id: Snippet.snippetId(language, block.code),
      language,
      tags: Snippet.tagsOf(language, block.code, block.headings, false),
      source: { path, start_line: block.startLine, end_line: block.endLine },
      code: Redaction.text(block.code),
    }
  })

const fromExample = ({ path, language, text }: Documents.ExampleFile): Snippet.Snippet => {
  const lines = text.replace(/\n+$/, "").split("\n").slice(0, EXAMPLE_LINES)
  const code = lines.join("\n")
  return {
    snippet_id: Snippet.snippetId(language, code),
    language,
    tags: Snippet.tagsOf(language, code, [], true),
    source: { path, start_line: 1, end_line: lines.length },
    code: Redaction.text(code),
  }
}

/** W4: catalogues the code of documents and examples, plans the pages, and writes `snippet_catalog.json` and `page_plan.json`. */
export const run = ({ facts, headings, documents, examples }: Built) =>
  Effect.gen(function* () {
    const snippets = Snippet.dedupe([...documents.flatMap(fromDocument), ...examples.map(fromExample)].filter(isUsable))
    const catalog = { product_slug: facts.product_slug, snippets: snippets.slice(0, MAX_SNIPPETS) }
    yield* Artifacts.writeJson("snippet_catalog", Snippet.SnippetCatalog, catalog, WORKER)

    const { pages, unplaced } = PageRecipes.plan({ facts, headings })
    const plan = { product_slug: facts.product_slug, pages, unplaced_claims: unplaced }
    yield* Artifacts.writeJson("page_plan", PagePlan.PagePlan, plan, WORKER)
    return { plan, catalog } satisfies Planned
  })
