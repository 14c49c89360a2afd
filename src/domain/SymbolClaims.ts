import * as Claim from "./Claim.js"
import type { ApiSymbol } from "./Facts.js"
import * as Inventory from "./Inventory.js"
import type { ScriptExport } from "./ScriptExports.js"

/** Exported names that become claims at most: of one file, and of a product. */
export const MAX_SYMBOLS_PER_FILE = 40
export const MAX_SYMBOLS = 300
const MIN_SYMBOLS_PER_FILE = 3

/** A file and what it exports. */
export interface ScriptFile {
  readonly path: string
  readonly exports: ReadonlyArray<ScriptExport>
}

const HIDDEN_FOLDER =
  /(?:^|\/)(?:_?internals?|private|vendor|third[_-]party|deps|fixtures?|__\w+__|mocks?|benchmarks?|bench|scripts?|tools?|build|coverage|locales?|\.[^/]+)\//i
const BUILT_FOLDER = /(?:^|\/)(?:dist|lib|esm|cjs|umd|out|browser|bundle|es|legacy)\//i
const CONFIG_FILE =
  /(?:^|[./])(?:\w+[.-])?(?:config|setup|rollup|webpack|gulpfile|gruntfile|karma|babel|jest)\.[cm]?[jt]s$/i

const moduleStem = (path: string): string => Inventory.baseName(path).replace(/(?:\.d)?\.[cm]?[jt]sx?$/i, "")

/** The module's name as a reader would say it; undefined for the package's own entry. */
export const moduleOf = (path: string): string | undefined => {
  const stem = moduleStem(path)
  if (!/^(?:index|main|mod|legacy)$/i.test(stem)) return stem
  const parent = path.split("/").at(-2)
  if (parent === undefined) return undefined
  return /^(?:src|source|sources|lib|dist|esm|cjs|umd|dts|out|build|es|types?|browser)$/i.test(parent)
    ? undefined
    : parent
}

const rank = (path: string): number => (/\.d\.[cm]?ts$/i.test(path) ? 1 : /\.[cm]?tsx?$/i.test(path) ? 0 : 2)

/**
 * The files whose exports are the product's: no tests, examples, tools or private folders; built files only where there is no
 * source folder; declarations before the scripts that they declare.
 */
export const candidates = (paths: ReadonlyArray<string>): ReadonlyArray<string> => {
  const own = paths.filter(
    (path) =>
      Inventory.isScript(path) &&
      !Inventory.isTest(path) &&
      !Inventory.isExample(path) &&
      !HIDDEN_FOLDER.test(path) &&
      !CONFIG_FILE.test(path) &&
      !Inventory.baseName(path).startsWith("."),
  )
  const sources = own.filter((path) => /(?:^|\/)(?:src|source)\//.test(path))
  const chosen = sources.length > 0 ? own.filter((path) => !BUILT_FOLDER.test(path)) : own
  return chosen.toSorted(
    (left, right) =>
      left.split("/").length - right.split("/").length || rank(left) - rank(right) || Claim.compareText(left, right),
  )
}

const KIND_WORDS: Readonly<Record<ApiSymbol["kind"], string>> = {
  function: "function",
  class: "class",
  interface: "interface",
  type: "type",
  enum: "enum",
  namespace: "namespace",
  constant: "constant",
}

const statement = (symbol: ScriptExport, module: string | undefined): string => {
  const call = symbol.parameters === null ? symbol.name : `${symbol.name}(${symbol.parameters.join(", ")})`
  const subject = module === undefined ? "The package" : `Module \`${module}\``
  const opening = `${subject} exports the ${KIND_WORDS[symbol.kind]} \`${call}\``
  return symbol.summary === null ? `${opening}.` : `${opening}: ${symbol.summary.replace(/\.$/, "")}.`
}

/** An exported name, and the module as whose part a reader knows it. */
export interface PlacedSymbol {
  readonly file: string
  /** Undefined for the package's own entry. */
  readonly module: string | undefined
  readonly symbol: ScriptExport
}

/** Every name of every file, where nobody says which of them are public. */
export const ofFiles = (files: ReadonlyArray<ScriptFile>): ReadonlyArray<PlacedSymbol> =>
  files.flatMap(({ path, exports }) => exports.map((symbol) => ({ file: path, module: moduleOf(path), symbol })))

const byKey = (placed: ReadonlyArray<PlacedSymbol>): ReadonlyMap<string, ReadonlyArray<PlacedSymbol>> => {
  const all = new Map<string, Array<PlacedSymbol>>()
  for (const each of placed) {
    const key = `${each.module ?? ""}\n${each.symbol.name}`
    const same = all.get(key)
    if (same === undefined) all.set(key, [each])
    else same.push(each)
  }
  return all
}

const best = (same: ReadonlyArray<PlacedSymbol>): PlacedSymbol | undefined =>
  same.find(({ symbol }) => symbol.summary !== null) ?? same[0]

const fairShare = (found: ReadonlyArray<ReadonlyArray<PlacedSymbol>>): ReadonlyArray<ReadonlyArray<PlacedSymbol>> => {
  const byModule = new Map<string, Array<ReadonlyArray<PlacedSymbol>>>()
  for (const same of found) {
    const module = same[0]?.module ?? ""
    byModule.set(module, [...(byModule.get(module) ?? []), same])
  }
  const share = Math.floor(MAX_SYMBOLS / Math.max(1, byModule.size))
  const each = Math.min(MAX_SYMBOLS_PER_FILE, Math.max(MIN_SYMBOLS_PER_FILE, share))
  const documented = (same: ReadonlyArray<PlacedSymbol>): number => (best(same)?.symbol.summary == null ? 1 : 0)
  return [...byModule.values()]
    .flatMap((own) => own.toSorted((left, right) => documented(left) - documented(right)).slice(0, each))
    .slice(0, MAX_SYMBOLS)
}

/** What the exports say, and how many there are beyond those that became claims. */
export interface SymbolClaims {
  readonly claims: ReadonlyArray<Claim.Claim>
  readonly symbols: ReadonlyArray<ApiSymbol>
  readonly total: number
}

/** One claim an exported name of a module, cited wherever it is declared. Large products give a fair share of each module. */
export const make = (placed: ReadonlyArray<PlacedSymbol>): SymbolClaims => {
  const found = [...byKey(placed).values()]
  const claims: Array<Claim.Claim> = []
  const symbols: Array<ApiSymbol> = []
  for (const same of fairShare(found)) {
    const chosen = best(same)
    if (chosen === undefined) continue
    const text = statement(chosen.symbol, chosen.module)
    for (const { file, symbol } of same) {
      const citation = {
        path: file,
        start_line: symbol.startLine,
        end_line: symbol.endLine,
        source_type: "source" as const,
      }
      claims.push(Claim.make(text, citation, "api"))
    }
    const { name, kind } = chosen.symbol
    symbols.push({ name, kind, module: chosen.module ?? ".", claim_id: Claim.claimId(text, "api") })
  }
  return { claims, symbols, total: found.length }
}
