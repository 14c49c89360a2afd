import * as Command from "@effect/platform/Command"
import * as FileSystem from "@effect/platform/FileSystem"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Input from "../../src/pipeline/Input.js"
import * as SourceTree from "../../src/pipeline/SourceTree.js"
import { folderWith, platform, WIDGET } from "../support/Launches.js"

const git = (folder: string, ...args: ReadonlyArray<string>) =>
  Command.string(
    Command.make(
      "git",
      "-C",
      folder,
      "-c",
      "user.name=A",
      "-c",
      "user.email=a@b.c",
      "-c",
      "commit.gpgsign=false",
      ...args,
    ),
  ).pipe(Effect.map((out) => out.trim()))

/** A work tree with one commit and a tag, then a second commit. */
const repository = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* folderWith(WIDGET)
  yield* git(folder, "init", "-q", "-b", "main")
  yield* git(folder, "add", ".")
  yield* git(folder, "commit", "-qm", "one")
  yield* git(folder, "tag", "-a", "v1", "-m", "v1")
  const first = yield* git(folder, "rev-parse", "HEAD")
  yield* fs.writeFileString(`${folder}/SECOND.md`, "Second.\n")
  yield* git(folder, "add", ".")
  yield* git(folder, "commit", "-qm", "two")
  return { folder, first, second: yield* git(folder, "rev-parse", "HEAD") }
})

const refused = (target: string, ref?: string) =>
  Effect.map(
    Effect.either(Input.identify({ target, ref })),
    Either.match({ onLeft: (error) => error, onRight: () => undefined }),
  )

describe("Input", () => {
  it.scopedLive(
    "a folder that is missing, empty, no folder or without text is refused by name, with the next step",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const folder = yield* folderWith({ "a.md": "A." })
        const empty = yield* folderWith({})
        const binary = yield* folderWith({})
        yield* fs.writeFile(`${binary}/blob`, new Uint8Array([1, 0, 2]))
        expect(yield* refused(`${folder}/nowhere`)).toMatchObject({ _tag: "InputError", problem: "NotFound" })
        expect((yield* refused(`${folder}/nowhere`))?.message).toContain(`${folder}/nowhere`)
        expect(yield* refused(`${folder}/a.md`)).toMatchObject({ problem: "NotAFolder" })
        expect(yield* refused(empty)).toMatchObject({ problem: "Empty" })
        expect(yield* refused(binary)).toMatchObject({ problem: "NoText" })
        expect(yield* refused("-rf")).toMatchObject({ problem: "RefusedUrl" })
        expect(yield* refused("ext::sh -c true")).toMatchObject({ problem: "RefusedUrl" })
        expect(yield* refused("http://localhost/a")).toMatchObject({ problem: "RefusedUrl" })
        expect(yield* refused(folder, "v1")).toMatchObject({ problem: "RefNotFound" })
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive(
    "an address that cannot be reached is refused without asking for a password and without showing one",
    () =>
      Effect.gen(function* () {
        const error = yield* refused("https://user:hunter2@127.0.0.1:1/a/b.git")
        expect(error).toMatchObject({ problem: "CannotReach", target: "https://127.0.0.1:1/a/b.git" })
        expect(JSON.stringify([error?.message, error?.target, String(error?.cause)])).not.toContain("hunter2")
        expect((yield* refused("file:///nowhere/at/all"))?.problem).toBe("CannotReach")
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("a folder is known by its commit at the work tree's root; elsewhere its content stands for it", () =>
    Effect.gen(function* () {
      const { folder, second } = yield* repository
      const root = yield* Input.identify({ target: folder })
      expect(root).toMatchObject({
        kind: "folder",
        product: "widget",
        sha: second,
        shaSource: "git",
        branch: "main",
        checkout: { repo: null, branch: "main", commit: second, author: "A", isDirty: false },
      })
      const inner = yield* Input.identify({ target: `${folder}/src` })
      expect(inner).toMatchObject({ product: "src", shaSource: "content", repoUrl: null, branch: null })
      expect(inner.checkout).toMatchObject({ branch: "main", commit: second })
      const again = yield* Input.identify({ target: `${folder}/src` })
      expect(again.sha).toBe(inner.sha)
      expect((yield* Input.identify({ target: folder, productName: "Mine" })).product).toBe("Mine")
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive(
    "a checkout is recorded without the credentials of its remote, and says when it is dirty or on no branch",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { folder, first } = yield* repository
        const recorded = Effect.map(Input.identify({ target: folder }), ({ checkout }) => checkout)
        yield* git(folder, "remote", "add", "origin", "https://user:hunter2@github.com/acme/widget.git")
        expect((yield* recorded)?.repo).toBe("https://github.com/acme/widget.git")
        yield* git(folder, "remote", "set-url", "origin", "git@github.com:acme/widget.git")
        expect((yield* recorded)?.repo).toBe("https://github.com/acme/widget.git")
        yield* fs.writeFileString(`${folder}/untracked.md`, "Nobody's.\n")
        expect((yield* recorded)?.isDirty).toBe(false)
        yield* fs.writeFileString(`${folder}/SECOND.md`, "Changed.\n")
        expect((yield* recorded)?.isDirty).toBe(true)
        yield* git(folder, "add", ".")
        expect((yield* recorded)?.isDirty).toBe(true)
        yield* git(folder, "checkout", "-q", "--force", "--detach", first)
        expect(yield* recorded).toMatchObject({ branch: null, commit: first, isDirty: false })
        const named = yield* Input.identify({ target: folder, ref: "v1" })
        expect(named.checkout).toMatchObject({
          repo: "https://github.com/acme/widget.git",
          commit: first,
          branch: null,
        })
        const shallow = `${folder}-shallow`
        yield* Effect.addFinalizer(() => Effect.ignore(fs.remove(shallow, { recursive: true })))
        yield* git(folder, "clone", "-q", "--depth=1", "-b", "main", `file://${folder}`, shallow)
        expect((yield* Input.identify({ target: shallow })).checkout).toMatchObject({ branch: "main", isDirty: false })
      }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("a folder that no commit has, or that git does not know, has no checkout", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { folder } = yield* repository
      yield* fs.makeDirectory(`${folder}/ignored`)
      yield* fs.writeFileString(`${folder}/ignored/a.md`, "A.\n")
      expect((yield* Input.identify({ target: `${folder}/ignored` })).checkout).toBeNull()
      const plain = yield* folderWith({ "a.md": "A." })
      expect((yield* Input.identify({ target: plain })).checkout).toBeNull()
      const unborn = yield* folderWith({ "a.md": "A." })
      yield* git(unborn, "init", "-q")
      expect((yield* Input.identify({ target: unborn })).checkout).toBeNull()
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("telling whether a checkout is dirty runs no program that it names", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { folder } = yield* repository
      const trap = `${folder}/.git/sprung`
      yield* fs.writeFileString(`${folder}/.gitattributes`, "* filter=trap diff=trap\n")
      for (const setting of ["filter.trap.clean", "filter.trap.process", "diff.trap.textconv", "core.fsmonitor"]) {
        yield* git(folder, "config", setting, `touch ${trap}; cat`)
      }
      yield* fs.writeFileString(`${folder}/SECOND.md`, "Second!\n")
      expect((yield* Input.identify({ target: folder })).checkout?.isDirty).toBe(true)
      expect(yield* fs.exists(trap)).toBe(false)
      // The trap is one: without the guards it springs.
      yield* Effect.ignore(git(folder, "status", "--porcelain"))
      expect(yield* fs.exists(trap)).toBe(true)
      yield* git(folder, "config", "filter.a=b.clean", "cat")
      expect((yield* Input.identify({ target: folder })).checkout?.isDirty).toBeNull()
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("a git address gives the commit of a branch, a tag or a commit, and a shallow clone of just that", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { folder, first, second } = yield* repository
      const target = `file://${folder}`
      const head = yield* Input.identify({ target })
      expect(head).toMatchObject({ kind: "git", sha: second, shaSource: "git", branch: "main" })
      expect(head.checkout).toMatchObject({ repo: target, branch: "main", commit: second, isDirty: false })
      expect(Redacted.isRedacted(head.source._tag === "Clone" ? head.source.url : "")).toBe(true)
      for (const ref of ["v1", first]) {
        const identity = yield* Input.identify({ target, ref })
        expect(identity.sha).toBe(first)
        const clone = yield* Input.checkout(identity)
        expect(yield* fs.exists(`${clone}/README.md`)).toBe(true)
        expect(yield* fs.exists(`${clone}/SECOND.md`)).toBe(false)
        expect(yield* git(clone, "rev-list", "--count", "HEAD")).toBe("1")
      }
      expect((yield* Input.identify({ target: folder, ref: "v1" })).sha).toBe(first)
      expect(yield* refused(target, "no-such-branch")).toMatchObject({ problem: "RefNotFound" })
      expect(yield* refused(target, "--upload-pack=x")).toMatchObject({ problem: "RefNotFound" })
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("the clone is gone when its scope closes", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { folder } = yield* repository
      const identity = yield* Input.identify({ target: `file://${folder}` })
      const clone = yield* Effect.scoped(Input.checkout(identity))
      expect(yield* fs.exists(clone)).toBe(false)
    }).pipe(Effect.provide(platform)),
  )
})

describe("Walk", () => {
  it.scopedLive(
    "heeds .gitignore files inside the folder only, nested ones too, and leaves out what is no text of the product",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const outer = yield* folderWith({
          ".gitignore": "*.md\n",
          "in/.gitignore": "*.log\nbuild/\n!keep.log\n",
          "in/a.md": "A.",
          "in/b.log": "x",
          "in/keep.log": "x",
          "in/build/c.md": "C.",
          "in/deep/.gitignore": "*.txt\n!b.log\n",
          "in/deep/d.txt": "x",
          "in/deep/b.log": "x",
          "in/.hidden/e.md": "E.",
          "in/node_modules/f/README.md": "F.",
          "in/picture.png": "x",
          "in/zzz.md": "Z.",
        })
        yield* fs.writeFile(`${outer}/in/blob`, new Uint8Array([65, 0]))
        yield* fs.writeFile(`${outer}/in/binary.md`, new Uint8Array([65, 0]))
        yield* fs.writeFile(`${outer}/in/large.md`, new Uint8Array(SourceTree.MAX_FILE_BYTES + 1).fill(65))
        yield* fs.symlink(`${outer}/.gitignore`, `${outer}/in/link.md`)
        yield* fs.symlink(outer, `${outer}/in/loop`)
        const tree = yield* SourceTree.walk(`${outer}/in`)
        expect(tree.files.map((file) => file.path)).toEqual([
          ".gitignore",
          "a.md",
          "deep/.gitignore",
          "deep/b.log",
          "keep.log",
          "zzz.md",
        ])
        expect(tree.skipped).toEqual({ ignored: 3, binary: 3, too_large: 1, links: 2, unreadable: 0, truncated: false })
        expect(yield* SourceTree.walk(`${outer}/in`)).toEqual(tree)
      }).pipe(Effect.provide(platform)),
  )
})
