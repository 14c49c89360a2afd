import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { baseName } from "./Inventory.js"

/** What a manifest says of the product; `line` is where in the file. */
export interface ManifestFacts {
  readonly name: string | undefined
  readonly description: { readonly text: string; readonly line: number } | undefined
  /** Whole sentences that the manifest vouches for. */
  readonly statements: ReadonlyArray<{ readonly text: string; readonly line: number }>
}

const nothing: ManifestFacts = { name: undefined, description: undefined, statements: [] }

const PackageJson = Schema.parseJson(
  Schema.Struct({
    name: Schema.optional(Schema.Unknown),
    description: Schema.optional(Schema.Unknown),
    engines: Schema.optional(Schema.Unknown),
    bin: Schema.optional(Schema.Unknown),
    type: Schema.optional(Schema.Unknown),
  }),
)

const isText = (value: unknown): value is string => typeof value === "string" && value.trim() !== ""

const lineOf = (text: string, pattern: RegExp): number => {
  const index = text.search(pattern)
  return index < 0 ? 1 : text.slice(0, index).split("\n").length
}

const keyLine = (text: string, key: string): number => lineOf(text, new RegExp(`^\\s*"${key}"\\s*:|"${key}"\\s*:`, "m"))

const entriesOf = (value: unknown): ReadonlyArray<readonly [string, string]> =>
  typeof value === "object" && value !== null
    ? Object.entries(value).flatMap(([key, each]) => (isText(each) ? [[key, each] as const] : []))
    : []

const commandsOf = (bin: unknown, name: string | undefined): ReadonlyArray<string> => {
  if (isText(bin)) return name === undefined ? [] : [name.replace(/^@[^/]+\//, "")]
  return entriesOf(bin).map(([command]) => command)
}

const ENGINES: Readonly<Record<string, string>> = {
  node: "Node.js",
  npm: "npm",
  bun: "Bun",
  deno: "Deno",
  vscode: "Visual Studio Code",
}

const packageJson = (text: string): ManifestFacts =>
  Option.match(Schema.decodeUnknownOption(PackageJson)(text), {
    onNone: () => nothing,
    onSome: (manifest) => {
      const name = isText(manifest.name) ? manifest.name.trim() : undefined
      const subject = name === undefined ? "The package" : `\`${name}\``
      const engines = entriesOf(manifest.engines).filter(([engine]) => Object.hasOwn(ENGINES, engine))
      const commands = commandsOf(manifest.bin, name)
      return {
        name,
        description: isText(manifest.description)
          ? { text: manifest.description.trim(), line: keyLine(text, "description") }
          : undefined,
        statements: [
          ...engines.map(([engine, range]) => ({
            text: `${subject} requires ${ENGINES[engine] ?? engine} \`${range}\`.`,
            line: keyLine(text, "engines"),
          })),
          ...commands.map((command) => ({
            text: `${subject} provides the command \`${command}\`.`,
            line: keyLine(text, "bin"),
          })),
        ],
      }
    },
  })

const tomlText = (text: string, section: RegExp, key: string): { text: string; line: number } | undefined => {
  const lines = text.split("\n")
  const start = lines.findIndex((line) => section.test(line.trim()))
  if (start < 0) return undefined
  for (let index = start + 1; index < lines.length; index += 1) {
    const line = lines[index] ?? ""
    if (/^\s*\[/.test(line)) return undefined
    const value = new RegExp(`^\\s*${key}\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|'([^']*)')`).exec(line)
    const found = value?.[1] ?? value?.[2]
    if (found !== undefined && found.trim() !== "") return { text: found.trim(), line: index + 1 }
  }
  return undefined
}

const toml = (text: string, section: RegExp, versionKey: string, language: string): ManifestFacts => {
  const name = tomlText(text, section, "name")?.text
  const version = tomlText(text, section, versionKey)
  return {
    name,
    description: tomlText(text, section, "description"),
    statements:
      version === undefined
        ? []
        : [{ text: `\`${name ?? "The package"}\` requires ${language} \`${version.text}\`.`, line: version.line }],
  }
}

const goMod = (text: string): ManifestFacts => {
  const path = /^module\s+(\S+)/m.exec(text)?.[1]
  const version = /^go\s+(\d[\w.]*)/m.exec(text)?.[1]
  const name = path
    ?.replace(/\/v\d+$/, "")
    .split("/")
    .at(-1)
  return {
    name,
    description: undefined,
    statements:
      version === undefined || path === undefined
        ? []
        : [{ text: `The module \`${path}\` requires Go \`${version}\` or later.`, line: lineOf(text, /^go\s+\d/m) }],
  }
}

/** What a manifest says; nothing when it is not understood. Names are of package.json, pyproject.toml, Cargo.toml and go.mod. */
export const read = (path: string, text: string): ManifestFacts => {
  switch (baseName(path).toLowerCase()) {
    case "package.json":
      return packageJson(text)
    case "pyproject.toml":
      return toml(text, /^\[(?:project|tool\.poetry)\]$/, "requires-python", "Python")
    case "cargo.toml":
      return toml(text, /^\[package\]$/, "rust-version", "Rust")
    case "go.mod":
      return goMod(text)
    default:
      return nothing
  }
}

/** The manifests that name a product, the first that stands at the root wins. */
export const NAMING = ["package.json", "pyproject.toml", "Cargo.toml", "go.mod"] as const
