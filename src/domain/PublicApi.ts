import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ScriptExport, ScriptModule } from "./ScriptExports.js"
import type { PassedOn } from "./ScriptPassing.js"
import type { PlacedSymbol } from "./SymbolClaims.js"
import { moduleOf } from "./SymbolClaims.js"

/** A file through which the outside reaches a package. */
export interface EntryPoint {
  readonly path: string
  /** Undefined for the package's own name. */
  readonly module: string | undefined
}

const PackageJson = Schema.parseJson(
  Schema.Struct({
    main: Schema.optional(Schema.Unknown),
    module: Schema.optional(Schema.Unknown),
    types: Schema.optional(Schema.Unknown),
    typings: Schema.optional(Schema.Unknown),
    exports: Schema.optional(Schema.Unknown),
  }),
)

const CONVENTIONAL = ["src/index", "index", "lib/index", "src/main", "mod", "src/mod"]
const EXTENSIONS = [".ts", ".tsx", ".mts", ".d.ts", ".js", ".mjs", ".cjs", ".jsx"]

const strings = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(strings) : []
}

const plain = (path: string): string => path.replace(/^\.\//, "")
const withoutExtension = (path: string): string => path.replace(/(?:\.d)?\.[cm]?[jt]sx?$/i, "")

/** Where a built file's source may be: `dist/esm/Foo.js` comes of `src/Foo.ts`. */
const sourceOf = (path: string): string =>
  path.replace(/^(?:dist|lib|build|out|esm|cjs)\/(?:(?:esm|cjs|dts|types|src)\/)?/, "src/")

/** The file that a name without certain extension means; the first that is there. */
const find = (stem: string, paths: ReadonlySet<string>): string | undefined =>
  [stem, ...EXTENSIONS.flatMap((extension) => [`${stem}${extension}`, `${stem}/index${extension}`])]
    .map((path) => path.replace(/^\//, ""))
    .find((path) => paths.has(path) && /\.[cm]?[jt]sx?$/.test(path))

const locate = (targets: ReadonlyArray<string>, paths: ReadonlySet<string>): string | undefined => {
  const wanted = targets.map(plain).filter((path) => /\.[cm]?[jt]sx?$/.test(path) && !path.includes("*"))
  const sources = wanted.map((path) => find(withoutExtension(sourceOf(path)), paths))
  const typed = wanted.filter((path) => /\.d\.[cm]?ts$/.test(path))
  return [...sources, ...[...typed, ...wanted].map((path) => find(withoutExtension(path), paths))].find(
    (path) => path !== undefined,
  )
}

const subpaths = (exports: unknown): ReadonlyArray<readonly [string, ReadonlyArray<string>]> => {
  if (typeof exports !== "object" || exports === null) return [[".", strings(exports)]]
  const named = Object.entries(exports).filter(([key]) => key.startsWith("."))
  return named.length === 0 ? [[".", strings(exports)]] : named.map(([key, value]) => [key, strings(value)] as const)
}

/** The entries that a package.json names and that are there (or whose sources are), else the conventional one. */
export const entryPoints = (packageJson: string, files: ReadonlyArray<string>): ReadonlyArray<EntryPoint> => {
  const paths = new Set(files)
  const manifest = Option.getOrElse(Schema.decodeUnknownOption(PackageJson)(packageJson), () => ({
    main: undefined,
    module: undefined,
    types: undefined,
    typings: undefined,
    exports: undefined,
  }))
  const root = [manifest.types, manifest.typings, manifest.module, manifest.main].flatMap(strings)
  const named = [["." as string, root] as const, ...subpaths(manifest.exports)].flatMap(([key, targets]) => {
    const path = locate(targets, paths)
    const module = key === "." ? undefined : plain(key).replace(/^.*\//, "")
    const isHidden = key !== "." && /(?:^|\/)(?:\.|internal)/.test(plain(key))
    return path === undefined || isHidden ? [] : [{ path, module }]
  })
  const conventional = CONVENTIONAL.map((stem) => find(stem, paths)).find((path) => path !== undefined)
  const found = named.length > 0 || conventional === undefined ? named : [{ path: conventional, module: undefined }]
  return [...new Map(found.map((entry) => [`${entry.module ?? ""}\n${entry.path}`, entry])).values()]
}

/** The file of the tree that a relative import means. */
export const resolve = (from: string, specifier: string, paths: ReadonlySet<string>): string | undefined => {
  const parts = from.split("/").slice(0, -1)
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop()
    else if (part !== "." && part !== "") parts.push(part)
  }
  const target = parts.join("/")
  return find(withoutExtension(target), paths) ?? find(target, paths)
}

type Modules = ReadonlyMap<string, ScriptModule>
interface Found {
  readonly file: string
  readonly module: string | undefined
  readonly symbol: ScriptExport
}

const passed = (
  { what }: PassedOn,
  target: string,
  modules: Modules,
  paths: ReadonlySet<string>,
  path: ReadonlySet<string>,
): ReadonlyArray<Found> => {
  const inner = reach(target, modules, paths, path)
  switch (what._tag) {
    case "All":
      return inner
    case "Namespace":
      return inner.map((each) => ({ ...each, module: what.name }))
    case "Name": {
      const main = what.own === "=" || what.own === "default"
      const own = inner.filter(
        ({ symbol, module }) => module === undefined && (main ? symbol.isMain : symbol.name === what.own),
      )
      const renamed = own
        .slice(0, 1)
        .map((each) => ({ ...each, symbol: { ...each.symbol, name: what.exported, isMain: false } }))
      return renamed
    }
  }
}

/** Everything that is reached through a file. A circle ends where it began. */
const reach = (
  file: string,
  modules: Modules,
  paths: ReadonlySet<string>,
  above: ReadonlySet<string>,
): ReadonlyArray<Found> => {
  const own = modules.get(file)
  if (own === undefined || above.has(file)) return []
  const path = new Set([...above, file])
  return [
    ...own.exports.map((symbol) => ({ file, module: undefined, symbol })),
    ...own.passedOn.flatMap((each) => {
      const target = resolve(file, each.from, paths)
      return target === undefined ? [] : passed(each, target, modules, paths, path)
    }),
  ]
}

/** The names that the outside reaches through the entries, each under the module as whose part it is reached. */
export const symbols = (entries: ReadonlyArray<EntryPoint>, modules: Modules): ReadonlyArray<PlacedSymbol> => {
  const paths = new Set(modules.keys())
  return entries.flatMap((entry) =>
    reach(entry.path, modules, paths, new Set()).map((found) => ({
      ...found,
      module: found.module ?? (entry.module === undefined ? undefined : (moduleOf(entry.path) ?? entry.module)),
    })),
  )
}
