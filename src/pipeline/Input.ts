import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as GitUrl from "../domain/GitUrl.js"
import * as Manifest from "../domain/Manifest.js"
import * as Git from "./Git.js"
import { InputError } from "./InputError.js"
import * as SourceTree from "./SourceTree.js"
import * as WorkTree from "./WorkTree.js"

export { InputError } from "./InputError.js"

/** What was named on the command line or in the run config. */
export interface InputRequest {
  /** A folder, or a git URL (https, ssh, file, `git@host:path`). */
  readonly target: string
  /** A branch, tag or commit; a folder's own checkout when absent. */
  readonly ref?: string | undefined
  /** From the run config; wins over every manifest. */
  readonly productName?: string | undefined
}

/** Where the files are to be had. */
export type Source =
  | { readonly _tag: "Folder"; readonly folder: string }
  | { readonly _tag: "Clone"; readonly url: Redacted.Redacted<string>; readonly ref: string; readonly sha: string }

/** What an input is, known before a run of it begins. Nothing in it holds a credential but `source.url`. */
export interface InputIdentity {
  readonly kind: "folder" | "git"
  /** The absolute folder or the address without credentials. */
  readonly location: string
  /** From the run config, the manifest, or the name of the folder or repository. */
  readonly product: string
  /** Set when the run config names the product. */
  readonly productName: string | undefined
  /** The commit, or the sha256 of the folder's text files when it is no work tree's root. */
  readonly sha: string
  readonly shaSource: "git" | "content"
  readonly repoUrl: string | null
  readonly branch: string | null
  /** What a run of it records; null where nobody knows a commit. */
  readonly checkout: WorkTree.Checkout | null
  readonly source: Source
}

type Needs = FileSystem.FileSystem | Path.Path | CommandExecutor.CommandExecutor

const LOCAL_GIT = "10 seconds"
const REMOTE_GIT = "60 seconds"
const CLONE = "10 minutes"

const refuse = (problem: InputError["problem"], target: string, message: string, cause?: unknown) =>
  new InputError({ problem, target, message, ...(cause === undefined ? {} : { cause }) })

/** The product's name by the manifests at the root; none when none names it. */
export const manifestName = (tree: SourceTree.SourceTree) =>
  Effect.gen(function* () {
    for (const name of Manifest.NAMING) {
      if (!tree.files.some((file) => file.path === name)) continue
      const text = yield* SourceTree.read(tree, name)
      const named = Option.flatMapNullable(text, (content) => Manifest.read(name, content).name)
      if (Option.isSome(named)) return named
    }
    return Option.none<string>()
  })

const usableFolder = (target: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = path.resolve(target)
    const info = yield* fs
      .stat(folder)
      .pipe(
        Effect.mapError((cause) =>
          cause._tag === "SystemError" && cause.reason === "NotFound"
            ? refuse("NotFound", target, `There is no folder ${folder}. Check the path, or give a git URL.`, cause)
            : refuse("Unreadable", target, `The folder ${folder} cannot be read. Check its permissions.`, cause),
        ),
      )
    if (info.type !== "Directory") {
      return yield* refuse("NotAFolder", target, `${folder} is not a folder. Name the folder that holds the project.`)
    }
    yield* fs
      .readDirectory(folder)
      .pipe(
        Effect.mapError((cause) =>
          refuse("Unreadable", target, `The folder ${folder} cannot be read. Check its permissions.`, cause),
        ),
      )
    return yield* Effect.orElseSucceed(fs.realPath(folder), () => folder)
  })

/** Refuses a tree from which nothing can be written. */
export const requireText = (tree: SourceTree.SourceTree, target: string): Effect.Effect<void, InputError> => {
  if (tree.files.length > 0) return Effect.void
  return tree.entries === 0
    ? Effect.fail(refuse("Empty", target, `${target} is empty. Name a folder with a README or sources in it.`))
    : Effect.fail(
        refuse("NoText", target, `${target} has no text files to read. Name a folder with a README or sources in it.`),
      )
}

const identifyFolder = (request: InputRequest): Effect.Effect<InputIdentity, InputError, Needs> =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const folder = yield* usableFolder(request.target)
    const tracked = yield* WorkTree.read(folder)
    const git = Option.filter(tracked, ({ isRoot }) => isRoot)
    if (request.ref !== undefined) {
      if (Option.isNone(git)) {
        const message = `${folder} is not the root of a git work tree with a commit, so it has no ref ${request.ref}. Leave the ref away.`
        return yield* refuse("RefNotFound", request.target, message)
      }
      const identity = yield* identifyRemote({ ...request, target: `file://${folder}` })
      const { checkout } = identity
      return checkout === null ? identity : { ...identity, checkout: { ...checkout, repo: git.value.repo } }
    }
    const tree = yield* SourceTree.walk(folder)
    yield* requireText(tree, folder)
    const named = yield* manifestName(tree)
    return {
      kind: "folder",
      location: folder,
      product: request.productName ?? Option.getOrElse(named, () => path.basename(folder) || "repository"),
      productName: request.productName,
      sha: Option.isSome(git) ? git.value.sha : yield* SourceTree.contentHash(tree),
      shaSource: Option.isSome(git) ? "git" : "content",
      repoUrl: Option.isSome(git) ? git.value.repo : null,
      branch: Option.isSome(git) ? git.value.branch : null,
      checkout: Option.getOrNull(
        Option.map(tracked, ({ isRoot: _root, sha: commit, ...known }) => ({ ...known, commit })),
      ),
      source: { _tag: "Folder", folder },
    }
  })

/** What git says went wrong: the line that says so, not the advice that follows it. */
const reasonOf = (said: string): string => {
  const lines = said.split("\n").filter((line) => line.trim() !== "")
  const line = lines.find((each) => /^(?:fatal|error|ssh): /.test(each)) ?? lines[0] ?? "it says nothing"
  return line
    .replace(/^(?:fatal|error): /, "")
    .replace(/\.$/, "")
    .slice(0, 300)
}

const cannotReach = (url: string) => (cause: Git.GitError) =>
  cause.reason === "TimedOut"
    ? refuse("CannotReach", url, `${url} did not answer in time. Check the address and the network.`, cause)
    : refuse(
        "CannotReach",
        url,
        `git cannot reach ${url}: ${reasonOf(cause.said)}. Check the address and your access to it.`,
        cause,
      )

interface RemoteRef {
  readonly sha: string
  readonly name: string
}

/** What `ls-remote --symref` prints: the refs, and the one that HEAD stands for. */
const listed = (listing: string): { readonly refs: ReadonlyArray<RemoteRef>; readonly head: string } => {
  const lines = listing.split("\n").map((line) => line.split("\t"))
  const refs = lines.flatMap(
    ([sha, name]): ReadonlyArray<RemoteRef> =>
      sha === undefined || name === undefined || sha.startsWith("ref: ") ? [] : [{ sha, name }],
  )
  const [symbolic = ""] = lines.find(([what = "", name]) => name === "HEAD" && what.startsWith("ref: ")) ?? []
  return { refs, head: symbolic.slice("ref: ".length) }
}

const branchOf = (ref: string): string | null =>
  ref.startsWith("refs/heads/") ? ref.slice("refs/heads/".length) : null

const pick = (refs: ReadonlyArray<RemoteRef>, wanted: string | undefined): RemoteRef | undefined => {
  const named = (name: string) => refs.find((ref) => ref.name === name)
  if (wanted === undefined) return named("HEAD")
  const exact = [`refs/heads/${wanted}`, `refs/tags/${wanted}^{}`, `refs/tags/${wanted}`, wanted]
  const found = exact.map(named).find((ref) => ref !== undefined)
  if (found !== undefined) return { ...found, name: found.name.replace(/\^\{\}$/, "") }
  if (!/^[0-9a-f]{7,40}$/i.test(wanted)) return undefined
  const sha = wanted.toLowerCase()
  if (sha.length === 40) return { sha, name: sha }
  return refs.find((ref) => ref.sha.startsWith(sha))
}

const identifyRemote = (request: InputRequest): Effect.Effect<InputIdentity, InputError, Needs> =>
  Effect.gen(function* () {
    const { target, ref } = request
    const location = GitUrl.shown(target)
    if (!GitUrl.isAllowed(target)) {
      const message = `${location} is not an address that can be cloned. Use https://, ssh://, git@host:path or file://.`
      return yield* refuse("RefusedUrl", location, message)
    }
    if (ref !== undefined && (ref.startsWith("-") || /[\s\p{Cc}]/u.test(ref))) {
      return yield* refuse("RefNotFound", location, `"${ref}" is not a branch, tag or commit. Name one of ${location}.`)
    }
    const listing = yield* Effect.mapError(
      Git.run(["ls-remote", "--symref", "--", target], REMOTE_GIT),
      cannotReach(location),
    )
    const { refs, head } = listed(listing)
    const found = pick(refs, ref)
    if (found === undefined) {
      const message =
        ref === undefined
          ? `${location} has no commit yet. Push one, or name another repository.`
          : `${location} has no branch, tag or commit ${ref}. Check the name.`
      return yield* refuse("RefNotFound", location, message)
    }
    const branch = branchOf(found.name === "HEAD" ? head : found.name)
    return {
      kind: "git",
      location,
      product: request.productName ?? GitUrl.repositoryName(target),
      productName: request.productName,
      sha: found.sha,
      shaSource: "git",
      repoUrl: GitUrl.recorded(target),
      branch,
      checkout: {
        repo: GitUrl.recorded(target),
        branch,
        commit: found.sha,
        author: null,
        timestamp: null,
        isDirty: false,
      },
      source: { _tag: "Clone", url: Redacted.make(target), ref: found.name, sha: found.sha },
    }
  })

/**
 * What an input is, before a run folder exists: its product and ref make the run's id. A folder is looked through, a
 * repository elsewhere is asked for its refs only. Fails when it cannot be used, naming it and the next step.
 */
export const identify = (request: InputRequest): Effect.Effect<InputIdentity, InputError, Needs> => {
  const target = request.target.trim()
  if (target === "" || target.startsWith("-")) {
    const message = `"${target}" is neither a folder nor a git URL. Name the folder to document, such as "." for this one.`
    return Effect.fail(refuse("RefusedUrl", target, message))
  }
  return GitUrl.looksRemote(target) ? identifyRemote({ ...request, target }) : identifyFolder({ ...request, target })
}

/**
 * The folder with the input's files: the folder itself, or a shallow clone of the very commit that was identified, in a
 * temporary folder that goes when the scope closes.
 */
export const checkout = (identity: InputIdentity): Effect.Effect<string, InputError, Needs | Scope.Scope> => {
  const { source } = identity
  if (source._tag === "Folder") return Effect.succeed(source.folder)
  const cannot = (cause: { readonly message?: string; readonly said?: string }) =>
    refuse(
      "CannotReach",
      identity.location,
      `${identity.location} at ${source.sha.slice(0, 12)} cannot be cloned: ${(cause.said ?? cause.message ?? "").slice(0, 300)}. Check your access to it and the free disk space.`,
      cause,
    )
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const temporary = yield* Effect.mapError(fs.makeTempDirectoryScoped({ prefix: "runledger-clone-" }), cannot)
    const folder = path.join(temporary, GitUrl.repositoryName(identity.location).replace(/[^\w.-]/g, "_"))
    const fetch = (what: string) =>
      Git.run(
        ["-C", folder, "fetch", "--quiet", "--depth=1", "--no-tags", "--", Redacted.value(source.url), what],
        CLONE,
      )
    yield* Effect.mapError(Git.run(["init", "--quiet", "--", folder], LOCAL_GIT), cannot)
    // Some servers give a commit only by the name of a ref that points to it.
    yield* fetch(source.sha).pipe(
      Effect.catchAll(() => fetch(source.ref)),
      Effect.mapError(cannot),
    )
    yield* Effect.mapError(Git.run(["-C", folder, "checkout", "--quiet", "--detach", "FETCH_HEAD"], CLONE), cannot)
    const head = yield* Effect.mapError(Git.run(["-C", folder, "rev-parse", "HEAD"], LOCAL_GIT), cannot)
    if (head.trim() !== source.sha) {
      return yield* cannot({ said: `${source.ref} moved to ${head.trim().slice(0, 12)} meanwhile; start again` })
    }
    return folder
  })
}
