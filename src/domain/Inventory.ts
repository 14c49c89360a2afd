import * as Schema from "effect/Schema"
import type { SourceType } from "./Claim.js"

/** What a document is for, judged by its name and place. */
export const DocType = Schema.Literal(
  "readme",
  "guide",
  "api",
  "tutorial",
  "faq",
  "troubleshooting",
  "marketing",
  "changelog",
  "license",
  "community",
  "other",
)
export type DocType = typeof DocType.Type

/** A document of the repository. `relevance` is 0 to 100, the root README highest. */
export const DocFile = Schema.Struct({
  path: Schema.NonEmptyString,
  doc_type: DocType,
  relevance: Schema.Int.pipe(Schema.between(0, 100)),
  bytes: Schema.NonNegativeInt,
})
export type DocFile = typeof DocFile.Type

export const Language = Schema.Struct({
  language: Schema.NonEmptyString,
  files: Schema.NonNegativeInt,
  bytes: Schema.NonNegativeInt,
})
export type Language = typeof Language.Type

/** `artifacts/repo_inventory.json`: what is in the folder. Paths are relative, with `/`, sorted. */
export const Inventory = Schema.Struct({
  /** Without credentials; null when the folder has no remote. */
  repo_url: Schema.NullOr(Schema.String),
  /** The commit, or the sha256 of the tree's paths and contents when the folder is no work tree's root. */
  repo_sha: Schema.NonEmptyString,
  sha_source: Schema.Literal("git", "content"),
  product_name: Schema.NonEmptyString,
  product_slug: Schema.NonEmptyString,
  languages: Schema.Array(Language),
  doc_files: Schema.Array(DocFile),
  example_files: Schema.Array(Schema.String),
  source_files: Schema.Array(Schema.String),
  test_files: Schema.Array(Schema.String),
  source_roots: Schema.Array(Schema.String),
  manifests: Schema.Array(Schema.String),
  file_count: Schema.NonNegativeInt,
  total_bytes: Schema.NonNegativeInt,
  skipped: Schema.Struct({
    ignored: Schema.NonNegativeInt,
    binary: Schema.NonNegativeInt,
    too_large: Schema.NonNegativeInt,
    links: Schema.NonNegativeInt,
    unreadable: Schema.NonNegativeInt,
    /** True when the walk stopped at its limit of files. */
    truncated: Schema.Boolean,
  }),
})
export type Inventory = typeof Inventory.Type

/** A file as the walk saw it. */
export interface TreeFile {
  readonly path: string
  readonly bytes: number
}

const LANGUAGES: Readonly<Record<string, string>> = {
  ts: "TypeScript",
  tsx: "TypeScript",
  mts: "TypeScript",
  cts: "TypeScript",
  js: "JavaScript",
  jsx: "JavaScript",
  mjs: "JavaScript",
  cjs: "JavaScript",
  py: "Python",
  rs: "Rust",
  go: "Go",
  java: "Java",
  kt: "Kotlin",
  cs: "C#",
  rb: "Ruby",
  php: "PHP",
  swift: "Swift",
  c: "C",
  h: "C",
  cc: "C++",
  cpp: "C++",
  cxx: "C++",
  hpp: "C++",
  hh: "C++",
  scala: "Scala",
  ex: "Elixir",
  exs: "Elixir",
  lua: "Lua",
  sh: "Shell",
  sql: "SQL",
  zig: "Zig",
  dart: "Dart",
  hs: "Haskell",
  clj: "Clojure",
  vue: "Vue",
  svelte: "Svelte",
}

const MANIFESTS = new Set([
  "package.json",
  "pyproject.toml",
  "cargo.toml",
  "go.mod",
  "setup.py",
  "setup.cfg",
  "pom.xml",
  "build.gradle",
  "composer.json",
  "gemfile",
  "mix.exs",
  "deno.json",
  "jsr.json",
  "cmakelists.txt",
])

const EXAMPLE_FOLDERS = new Set(["example", "examples", "demo", "demos", "sample", "samples"])
const TEST_FOLDERS = new Set(["test", "tests", "__tests__", "spec", "specs", "e2e"])
const SOURCE_ROOTS = new Set([
  "src",
  "lib",
  "source",
  "sources",
  "packages",
  "pkg",
  "cmd",
  "internal",
  "app",
  "crates",
  "dist",
  "services",
  "layers",
])

export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1)
export const extension = (path: string): string => {
  const name = baseName(path)
  const dot = name.lastIndexOf(".")
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase()
}
const folders = (path: string): ReadonlyArray<string> => path.toLowerCase().split("/").slice(0, -1)

/** The programming language that a file's name tells, if any. */
export const languageOf = (path: string): string | undefined => LANGUAGES[extension(path)]

/** TypeScript and JavaScript, declarations included: the files whose exports can be read. */
export const isScript = (path: string): boolean =>
  /\.(?:[cm]?[jt]s|[jt]sx)$/i.test(path) && !/\.min\.[cm]?js$/i.test(path)

export const isManifest = (path: string): boolean => MANIFESTS.has(baseName(path).toLowerCase())
export const isExample = (path: string): boolean =>
  folders(path).some((each) => EXAMPLE_FOLDERS.has(each)) && (languageOf(path) !== undefined || isDoc(path))
export const isTest = (path: string): boolean =>
  languageOf(path) !== undefined &&
  (folders(path).some((each) => TEST_FOLDERS.has(each)) ||
    /[._-](?:test|spec)(?:-d)?\.[a-z]+$/i.test(path) ||
    /(?:^|\/)test_[^/]+\.py$/i.test(path))

/** Markdown and plain-text documents; a README without an extension is one too. */
export const isDoc = (path: string): boolean =>
  /\.(?:md|markdown|mdx|rst|adoc)$/i.test(path) ||
  /(?:^|\/)(?:readme|changelog|changes|history|license|licence|copying|contributing|authors|notice)(?:[.-](?:txt|mit|apache|bsd))?$/i.test(
    path,
  )

/** Documents that are read as Markdown. */
export const isMarkdown = (path: string): boolean =>
  /\.(?:md|markdown|mdx)$/i.test(path) || /(?:^|\/)readme(?:\.txt)?$/i.test(path)

const DOC_RULES: ReadonlyArray<readonly [RegExp, DocType]> = [
  [/^(?:license|licence|copying|notice|third[-_]?party)/, "license"],
  [/^(?:changelog|changes|history|releases?|release[-_ ]?notes|news|migration[-_ ]?log)\b/, "changelog"],
  [
    /^(?:contributing|contributors|code[-_]of[-_]conduct|security|authors|maintainers|governance|funding|support|sponsors|backers|pull_request_template|issue_template|agents|claude|roadmap|todo)\b/,
    "community",
  ],
  [/^readme/, "readme"],
  [/faq/, "faq"],
  [/troubleshoot|debugging|common[-_]?(?:errors|problems|issues)/, "troubleshooting"],
  [/tutorial|getting[-_]?started|quick[-_]?start|walkthrough|how[-_]?to/, "tutorial"],
  [/(?:^|[-_.])(?:api|reference|options|cli)(?:[-_.]|$)/, "api"],
]

/** What a document is for. */
export const docType = (path: string): DocType => {
  const name = baseName(path).toLowerCase()
  const named = DOC_RULES.find(([rule]) => rule.test(name))
  if (named !== undefined) return named[1]
  const inside = folders(path)
  if (inside.some((each) => /^(?:changelogs?|\.changeset|releases?)$/.test(each))) return "changelog"
  if (inside.some((each) => /^(?:blog|marketing|announcements?|press)$/.test(each))) return "marketing"
  if (inside.some((each) => /^(?:api|reference)$/.test(each))) return "api"
  if (inside.some((each) => /^(?:docs?|guides?|documentation|website|wiki)$/.test(each))) return "guide"
  return "other"
}

/** Documents whose text says something about the product. */
export const isTelling = (doc: DocFile): boolean =>
  doc.doc_type !== "changelog" && doc.doc_type !== "license" && doc.doc_type !== "community"

/** Root README, other root files, docs/, deeper: the earlier the higher; papers that tell nothing of the product are 0. */
export const relevance = (path: string): number => {
  const type = docType(path)
  if (type === "license" || type === "changelog" || type === "community") return 0
  const depth = folders(path).length
  if (depth === 0) return type === "readme" ? 100 : 80
  if (folders(path)[0]?.match(/^(?:docs?|documentation|guides?)$/)) return Math.max(40, 70 - 5 * (depth - 1))
  return Math.max(10, 50 - 10 * (depth - 1))
}

/** How far a document is to be believed. */
export const docSourceType = (path: string): SourceType => {
  const type = docType(path)
  if (type === "marketing") return "marketing"
  if (type === "api") return "api_doc"
  const inDocs = folders(path).some((each) =>
    /^(?:docs?|documentation|guides?|wiki|internals?|architecture)$/.test(each),
  )
  return inDocs ? "implementation_doc" : "technical_readme"
}

/** The folders at the root that hold sources. */
export const sourceRoots = (files: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(files.filter((path) => path.includes("/")).map((path) => path.slice(0, path.indexOf("/"))))]
    .filter((folder) => SOURCE_ROOTS.has(folder.toLowerCase()))
    .sort()

/** Languages by bytes, most first. */
export const languages = (files: ReadonlyArray<TreeFile>): ReadonlyArray<Language> => {
  const totals = new Map<string, { files: number; bytes: number }>()
  for (const file of files) {
    const language = languageOf(file.path)
    if (language === undefined) continue
    const total = totals.get(language) ?? { files: 0, bytes: 0 }
    totals.set(language, { files: total.files + 1, bytes: total.bytes + file.bytes })
  }
  return [...totals]
    .map(([language, total]) => ({ language, ...total }))
    .sort((left, right) => right.bytes - left.bytes || (left.language < right.language ? -1 : 1))
}
