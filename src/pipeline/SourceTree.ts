import { createHash } from "node:crypto"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import ignore, { type Ignore } from "ignore"
import { compareText } from "../domain/Claim.js"
import * as Inventory from "../domain/Inventory.js"

/** Larger files are not looked at. */
export const MAX_FILE_BYTES = 5 * 1024 * 1024
/** The walk stops here and says so. */
export const MAX_FILES = 20_000
const MAX_DEPTH = 40
const DEPENDENCY_FOLDERS = new Set(["node_modules", "bower_components", "__pycache__"])
/** A folder with these is a recorded run, this one perhaps: its drafts are no sources. */
const RUN_FOLDER_FILES = ["events.ndjson", "run_config.json"]
const SNIFFED_BYTES = 4096

const BINARY =
  /\.(?:png|jpe?g|gif|webp|avif|ico|bmp|tiff?|psd|svgz|pdf|zip|gz|tgz|bz2|xz|zst|7z|rar|jar|war|class|exe|dll|so|dylib|a|o|obj|lib|node|wasm|pyc|whl|db|sqlite3?|woff2?|ttf|otf|eot|mp[34]|m4a|ogg|wav|flac|avi|mov|webm|mkv|bin|dat|pack|idx|map|lockb|tsbuildinfo)$/i

/** What the walk found: text files sorted by path, and how many of what it passed over. */
export interface SourceTree {
  readonly root: string
  readonly files: ReadonlyArray<Inventory.TreeFile>
  readonly skipped: Inventory.Inventory["skipped"]
  /** Entries seen at all: 0 is an empty folder. */
  readonly entries: number
}

interface Rules {
  readonly base: string
  readonly rules: Ignore
}

type Skip = "ignored" | "binary" | "too_large" | "links" | "unreadable"

interface Walk {
  readonly root: string
  readonly files: Array<Inventory.TreeFile>
  readonly skipped: Record<Skip, number>
  entries: number
  truncated: boolean
}

const isIgnored = (stack: ReadonlyArray<Rules>, path: string): boolean =>
  stack.reduce((ignored, { base, rules }) => {
    const verdict = rules.test(base === "" ? path : path.slice(base.length + 1))
    return verdict.ignored || (ignored && !verdict.unignored)
  }, false)

const rulesOf = (folder: string, base: string, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    if (!names.includes(".gitignore")) return []
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const text = yield* Effect.option(fs.readFileString(path.join(folder, ".gitignore")))
    return Option.match(text, {
      onNone: (): ReadonlyArray<Rules> => [],
      onSome: (lines): ReadonlyArray<Rules> => [{ base, rules: ignore().add(lines) }],
    })
  })

/** The first bytes decide: a NUL is in no text. */
const looksBinary = (file: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const handle = yield* fs.open(file, { flag: "r" })
    const start = yield* handle.readAlloc(SNIFFED_BYTES)
    return Option.exists(start, (bytes) => bytes.includes(0))
  }).pipe(Effect.scoped)

const isBinary = (file: string) => (BINARY.test(file) ? Effect.succeed(true) : looksBinary(file))

const skip = (walk: Walk, why: Skip) =>
  Effect.sync(() => {
    walk.skipped[why] += 1
  })

const visitFile = (walk: Walk, relative: string, absolute: string, bytes: number) =>
  Effect.gen(function* () {
    if (bytes > MAX_FILE_BYTES) return yield* skip(walk, "too_large")
    const binary = yield* isBinary(absolute)
    if (binary) return yield* skip(walk, "binary")
    if (walk.files.length >= MAX_FILES) walk.truncated = true
    else walk.files.push({ path: relative, bytes })
  })

const visitEntry = (
  walk: Walk,
  stack: ReadonlyArray<Rules>,
  relative: string,
  depth: number,
): Effect.Effect<void, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const absolute = path.join(walk.root, relative)
    const real = yield* fs.realPath(absolute)
    if (real !== absolute) return yield* skip(walk, "links")
    const info = yield* fs.stat(absolute)
    if (info.type === "Directory") {
      const name = Inventory.baseName(relative)
      if (name.startsWith(".") || DEPENDENCY_FOLDERS.has(name)) return
      if (isIgnored(stack, `${relative}/`)) return yield* skip(walk, "ignored")
      return yield* visitFolder(walk, stack, relative, depth + 1)
    }
    if (info.type !== "File") return
    if (isIgnored(stack, relative)) return yield* skip(walk, "ignored")
    yield* visitFile(walk, relative, absolute, Number(info.size))
  }).pipe(
    Effect.catchTags({ BadArgument: () => skip(walk, "unreadable"), SystemError: () => skip(walk, "unreadable") }),
  )

const visitFolder = (
  walk: Walk,
  stack: ReadonlyArray<Rules>,
  relative: string,
  depth: number,
): Effect.Effect<void, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    if (depth > MAX_DEPTH || walk.truncated) {
      walk.truncated = true
      return
    }
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = path.join(walk.root, relative)
    const names = (yield* fs.readDirectory(folder)).toSorted(compareText)
    if (RUN_FOLDER_FILES.every((name) => names.includes(name))) return yield* skip(walk, "ignored")
    walk.entries += names.length
    const own = [...stack, ...(yield* rulesOf(folder, relative, names))]
    for (const name of names) {
      yield* visitEntry(walk, own, relative === "" ? name : `${relative}/${name}`, depth)
    }
  }).pipe(
    Effect.catchTags({ BadArgument: () => skip(walk, "unreadable"), SystemError: () => skip(walk, "unreadable") }),
  )

/**
 * The text files of a folder. Heeds the `.gitignore` files inside it only, nested ones too; leaves out dot folders,
 * dependency folders, links, binaries, files over 5 MB, and what cannot be read. Never fails; the same folder gives the
 * same answer.
 */
export const walk = (folder: string): Effect.Effect<SourceTree, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const root = yield* Effect.orElseSucceed(fs.realPath(folder), () => folder)
    const state: Walk = {
      root,
      files: [],
      skipped: { ignored: 0, binary: 0, too_large: 0, links: 0, unreadable: 0 },
      entries: 0,
      truncated: false,
    }
    yield* visitFolder(state, [], "", 0)
    return {
      root,
      files: state.files.toSorted((left, right) => compareText(left.path, right.path)),
      skipped: { ...state.skipped, truncated: state.truncated },
      entries: state.entries,
    }
  })

/** The text of a file of the tree; none when it cannot be read or turns out to be no text. A byte-order mark is left out. */
export const read = (
  tree: Pick<SourceTree, "root">,
  relative: string,
): Effect.Effect<Option.Option<string>, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const text = yield* Effect.option(fs.readFileString(path.join(tree.root, relative)))
    return Option.map(
      Option.filter(text, (content) => !content.includes("\u0000")),
      (content) => content.replace(/^\uFEFF/, "").replace(/\r\n?/g, "\n"),
    )
  })

/** sha256 of the tree's paths and contents: what stands for a commit where there is none. */
export const contentHash = (tree: SourceTree): Effect.Effect<string, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const hash = createHash("sha256")
    for (const file of tree.files) {
      const bytes = yield* Effect.option(fs.readFile(path.join(tree.root, file.path)))
      hash.update(`${file.path}\n`)
      if (Option.isSome(bytes)) hash.update(createHash("sha256").update(bytes.value).digest())
    }
    return hash.digest("hex")
  })
