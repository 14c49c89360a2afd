import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inventory from "../domain/Inventory.js"
import * as MarkdownFile from "../domain/MarkdownFile.js"
import * as PublicApi from "../domain/PublicApi.js"
import * as ScriptExports from "../domain/ScriptExports.js"
import * as SymbolClaims from "../domain/SymbolClaims.js"
import * as SourceTree from "./SourceTree.js"

/** How much is read of one repository: the most relevant first. */
const MAX_DOCUMENTS = 200
const MAX_EXAMPLES = 60
const MAX_EXAMPLE_BYTES = 64 * 1024
const MAX_SCRIPTS = 400
const MAX_SCRIPT_BYTES = 1024 * 1024
const MAX_DOCUMENT_BYTES = 1024 * 1024

export interface Document {
  readonly path: string
  readonly markdown: MarkdownFile.MarkdownFile
}

export interface ExampleFile {
  readonly path: string
  readonly language: string
  readonly text: string
}

const sizeOf = (tree: SourceTree.SourceTree) => {
  const sizes = new Map(tree.files.map((file) => [file.path, file.bytes]))
  return (path: string): number => sizes.get(path) ?? 0
}

/** The Markdown documents that tell something of the product, most relevant first. */
export const documents = (tree: SourceTree.SourceTree, inventory: Inventory.Inventory) =>
  Effect.gen(function* () {
    const chosen = inventory.doc_files
      .filter(
        (doc) =>
          Inventory.isTelling(doc) &&
          Inventory.isMarkdown(doc.path) &&
          !Inventory.isTest(doc.path) &&
          doc.bytes <= MAX_DOCUMENT_BYTES,
      )
      .slice(0, MAX_DOCUMENTS)
    const read = yield* Effect.forEach(chosen, (doc) =>
      Effect.map(
        Effect.zipLeft(SourceTree.read(tree, doc.path), Effect.yieldNow()),
        Option.map((text): Document => ({ path: doc.path, markdown: MarkdownFile.read(text) })),
      ),
    )
    return read.flatMap(Option.toArray)
  })

/** The example files, in order of their paths. */
export const examples = (tree: SourceTree.SourceTree, inventory: Inventory.Inventory) =>
  Effect.gen(function* () {
    const size = sizeOf(tree)
    const chosen = inventory.example_files
      .filter((path) => Inventory.languageOf(path) !== undefined && size(path) <= MAX_EXAMPLE_BYTES)
      .slice(0, MAX_EXAMPLES)
    const read = yield* Effect.forEach(chosen, (path) =>
      Effect.map(
        SourceTree.read(tree, path),
        Option.map(
          (text): ExampleFile => ({ path, language: (Inventory.languageOf(path) ?? "text").toLowerCase(), text }),
        ),
      ),
    )
    return read.flatMap(Option.toArray).filter((example) => example.text.trim() !== "")
  })

const parsed = (tree: SourceTree.SourceTree, path: string) =>
  Effect.gen(function* () {
    yield* Effect.yieldNow()
    const text = yield* SourceTree.read(tree, path)
    if (Option.isNone(text)) return Option.none<ScriptExports.ScriptModule>()
    return yield* Effect.option(Effect.try(() => ScriptExports.read(path, text.value)))
  })

export interface Scripts {
  readonly symbols: ReadonlyArray<SymbolClaims.PlacedSymbol>
  /** Files that are no JavaScript or TypeScript that can be parsed. */
  readonly unparsed: ReadonlyArray<string>
}

interface Reading {
  readonly modules: ReadonlyMap<string, ScriptExports.ScriptModule>
  readonly unparsed: ReadonlyArray<string>
}

/** The files that are reached from the entries through what they pass on. */
const follow = (tree: SourceTree.SourceTree, entries: ReadonlyArray<string>, paths: ReadonlySet<string>) =>
  Effect.gen(function* () {
    const modules = new Map<string, ScriptExports.ScriptModule>()
    const unparsed: Array<string> = []
    const waiting = [...new Set(entries)]
    const met = new Set(waiting)
    for (let next = waiting.shift(); next !== undefined && met.size <= MAX_SCRIPTS; next = waiting.shift()) {
      const module = yield* parsed(tree, next)
      if (Option.isNone(module)) {
        unparsed.push(next)
        continue
      }
      modules.set(next, module.value)
      for (const { from } of module.value.passedOn) {
        const target = PublicApi.resolve(next, from, paths)
        if (target === undefined || met.has(target)) continue
        met.add(target)
        waiting.push(target)
      }
    }
    return { modules, unparsed } satisfies Reading
  })

/** Where no entry tells what is public, all sources that look like the product's. */
const everything = (tree: SourceTree.SourceTree, paths: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const chosen = SymbolClaims.candidates(paths).slice(0, MAX_SCRIPTS)
    const read = yield* Effect.forEach(chosen, (path) => Effect.map(parsed(tree, path), (module) => ({ path, module })))
    return {
      symbols: SymbolClaims.ofFiles(
        read.flatMap(({ path, module }) => (Option.isSome(module) ? [{ path, exports: module.value.exports }] : [])),
      ),
      unparsed: read.filter(({ module }) => Option.isNone(module)).map(({ path }) => path),
    } satisfies Scripts
  })

/** What the product's TypeScript and JavaScript export: through the package's entries where it has some. */
export const scripts = (tree: SourceTree.SourceTree) =>
  Effect.gen(function* () {
    const size = sizeOf(tree)
    const paths = tree.files
      .map((file) => file.path)
      .filter((path) => Inventory.isScript(path) && size(path) <= MAX_SCRIPT_BYTES)
    const manifest = yield* SourceTree.read(tree, "package.json")
    const entries = PublicApi.entryPoints(
      Option.getOrElse(manifest, () => ""),
      paths,
    )
    const reading = yield* follow(
      tree,
      entries.map(({ path }) => path),
      new Set(paths),
    )
    const symbols = PublicApi.symbols(entries, reading.modules)
    return symbols.length > 0 ? { symbols, unparsed: reading.unparsed } : yield* everything(tree, paths)
  })
