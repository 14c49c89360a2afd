import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as GitUrl from "../domain/GitUrl.js"
import * as Git from "./Git.js"

const LOCAL_GIT = "10 seconds"

/** The commit that files come from. Nothing in it holds a credential. */
export interface Checkout {
  readonly repo: string | null
  readonly branch: string | null
  readonly commit: string
  readonly author: string | null
  readonly timestamp: string | null
  /** Whether files that git follows differ from the commit; null when that is not known. */
  readonly isDirty: boolean | null
}

/** Where a folder's files come from, as git knows it. Nothing in it holds a credential. */
export interface WorkTree {
  /** Whether the folder is the work tree's root, not a folder in it. */
  readonly isRoot: boolean
  readonly sha: string
  /** Null where no branch is checked out, such as after checking out a tag. */
  readonly branch: string | null
  /** The address of `origin`, as `GitUrl.recorded` writes it. */
  readonly repo: string | null
  readonly author: string | null
  readonly timestamp: string | null
  /** Whether files that git follows differ from the commit; null when that cannot be told without running what the work tree names. */
  readonly isDirty: boolean | null
}

const said = (folder: string, ...args: ReadonlyArray<string>) =>
  Effect.option(Effect.map(Git.run(["-C", folder, ...args], LOCAL_GIT), (out) => out.trim()))

const word = (folder: string, ...args: ReadonlyArray<string>) =>
  Effect.map(
    said(folder, ...args),
    Option.filter((out) => out !== ""),
  )

const PLAIN_FILTER = /^filter\.([A-Za-z0-9_.-]+)\.[a-z]+$/i

/** Settings under which git compares files itself: a work tree may name programs that do it. None when not all can be named. */
const withoutFilters = (names: string): Option.Option<ReadonlyArray<string>> => {
  const filters = names.split("\n").filter((name) => /^filter\./i.test(name))
  const plain = filters.flatMap((name) => PLAIN_FILTER.exec(name)?.[1] ?? [])
  return plain.length < filters.length
    ? Option.none()
    : Option.some(
        [...new Set(plain)].flatMap((name) =>
          ["clean=", "smudge=", "process=", "required=false"].flatMap((setting) => ["-c", `filter.${name}.${setting}`]),
        ),
      )
}

const STATUS = ["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=dirty", "--no-renames", "--", "."]

const isDirty = (folder: string): Effect.Effect<boolean | null, never, CommandExecutor.CommandExecutor> =>
  Effect.gen(function* () {
    const settings = yield* said(folder, "config", "--list", "--name-only")
    const guards = Option.flatMap(settings, withoutFilters)
    if (Option.isNone(guards)) return null
    const status = yield* said(folder, ...guards.value, ...STATUS)
    return Option.getOrNull(Option.map(status, (out) => out !== ""))
  })

/** What of a folder inside a work tree belongs to the commit: an ignored folder is nobody's. */
const isFollowed = (folder: string) => Effect.map(word(folder, "ls-tree", "--name-only", "HEAD"), Option.isSome)

/**
 * Git's knowledge of a folder: of a work tree's root with a commit, or of a folder of that commit inside one. None where
 * there is no git, no work tree, no commit, or git does not trust it. `folder` is absolute and without links. Runs nothing
 * that the work tree names.
 */
export const read = (folder: string): Effect.Effect<Option.Option<WorkTree>, never, CommandExecutor.CommandExecutor> =>
  Effect.gen(function* () {
    const top = yield* word(folder, "rev-parse", "--show-toplevel")
    if (Option.isNone(top)) return Option.none()
    const isRoot = top.value === folder
    if (!isRoot && !(yield* isFollowed(folder))) return Option.none()
    const head = yield* word(folder, "log", "-1", "--no-color", "--format=%H%n%an%n%cI")
    if (Option.isNone(head)) return Option.none()
    const [sha = "", author = "", timestamp = ""] = head.value.split("\n")
    const branch = yield* word(folder, "symbolic-ref", "--short", "-q", "HEAD")
    const remote = yield* word(folder, "remote", "get-url", "origin")
    return Option.some({
      isRoot,
      sha,
      author: author === "" ? null : author,
      timestamp: timestamp === "" ? null : timestamp,
      branch: Option.getOrNull(branch),
      repo: Option.getOrNull(Option.map(remote, GitUrl.recorded)),
      isDirty: yield* isDirty(folder),
    })
  })
