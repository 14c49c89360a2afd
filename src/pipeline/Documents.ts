import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Inventory from "../domain/Inventory.js"
import * as MarkdownFile from "../domain/MarkdownFile.js"
import type { ScriptExport } from "../domain/ScriptExports.js"
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

const exportsOf = (path: string, text: string): Effect.Effect<Option.Option<ReadonlyArray<ScriptExport>>> =>
  Effect.option(Effect.try(() => ScriptExports.read(path, text)))

export interface Scripts {
  readonly files: ReadonlyArray<SymbolClaims.ScriptFile>
  /** Files that are no JavaScript or TypeScript that can be parsed. */
  readonly unparsed: ReadonlyArray<string>
}

/** What the product's TypeScript and JavaScript files export. */
export const scripts = (tree: SourceTree.SourceTree) =>
  Effect.gen(function* () {
    const size = sizeOf(tree)
    const chosen = SymbolClaims.candidates(tree.files.map((file) => file.path))
      .filter((path) => size(path) <= MAX_SCRIPT_BYTES)
      .slice(0, MAX_SCRIPTS)
    const read = yield* Effect.forEach(chosen, (path) =>
      Effect.gen(function* () {
        yield* Effect.yieldNow()
        const text = yield* SourceTree.read(tree, path)
        const exports = Option.isSome(text) ? yield* exportsOf(path, text.value) : Option.some([])
        return { path, exports }
      }),
    )
    return {
      files: read.flatMap(({ path, exports }) => (Option.isSome(exports) ? [{ path, exports: exports.value }] : [])),
      unparsed: read.filter(({ exports }) => Option.isNone(exports)).map(({ path }) => path),
    } satisfies Scripts
  })
