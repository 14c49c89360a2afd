import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as EvidenceStoreFiles from "../../layers/EvidenceStoreFiles.js"
import * as EvidenceSamples from "../support/EvidenceSamples.js"
import * as RunFolders from "../support/RunFolders.js"
import * as WarningLog from "../support/WarningLog.js"

const store = (directory: string) => EvidenceStoreFiles.fromDirectory(directory, { capture: "redacted", secrets: [] })
const folderOf = (directory: string): string => nodePath.join(directory, "evidence", "llm_calls")
const { success, promptHash } = EvidenceSamples

describe("EvidenceStoreFiles", () => {
  it.scoped("evidence is one private file a call, and nothing else is left in the folder", () =>
    Effect.gen(function* () {
      const directory = yield* RunFolders.temporary
      const evidence = yield* store(directory)
      yield* Effect.forEach(Array.from({ length: 20 }), (_, n) => evidence.put(success(`call_${n % 10}`)), {
        concurrency: "unbounded",
      })
      const names = fs.readdirSync(folderOf(directory))
      expect(names.toSorted()).toEqual(Array.from({ length: 10 }, (_, n) => `call_${n}.json`))
      expect(fs.statSync(folderOf(directory)).mode & 0o777).toBe(0o700)
      expect(
        names.every((name) => (fs.statSync(nodePath.join(folderOf(directory), name)).mode & 0o777) === 0o600),
      ).toBe(true)
    }),
  )

  it.scoped("another process finds the answers again; damaged and foreign files are skipped with a warning", () =>
    Effect.gen(function* () {
      const directory = yield* RunFolders.temporary
      yield* Effect.flatMap(store(directory), (evidence) => evidence.put(success("call_1")))
      fs.writeFileSync(nodePath.join(folderOf(directory), "cut.json"), '{"call_id":')
      fs.writeFileSync(nodePath.join(folderOf(directory), "odd.json"), "{}")
      fs.symlinkSync("/etc/hostname", nodePath.join(folderOf(directory), "link.json"))
      fs.mkdirSync(nodePath.join(folderOf(directory), "folder.json"))
      const later = yield* store(directory)
      const warnings = WarningLog.make()
      const found = yield* later.findByPrompt(promptHash("call_1")).pipe(Effect.provide(warnings.layer))
      expect(Option.getOrThrow(found).call_id).toBe("call_1")
      expect(warnings.warnings().length).toBe(4)
      expect((yield* Effect.flip(later.get("cut"))).message).toContain("cut.json")
    }),
  )

  it.scoped("a link in place of the folder or of a file leads nothing out of the run", () =>
    Effect.gen(function* () {
      const directory = yield* RunFolders.temporary
      const outside = yield* RunFolders.temporary
      const evidence = yield* store(directory)
      fs.mkdirSync(nodePath.join(directory, "evidence"))
      fs.symlinkSync(outside, folderOf(directory))
      expect((yield* Effect.flip(evidence.put(success("call_1")))).message).toContain("link")
      fs.rmSync(folderOf(directory))
      fs.mkdirSync(folderOf(directory))
      const target = nodePath.join(outside, "target")
      fs.writeFileSync(target, "untouched")
      fs.symlinkSync(target, nodePath.join(folderOf(directory), "call_1.json"))
      yield* evidence.put(success("call_1"))
      expect(fs.readFileSync(target, "utf8")).toBe("untouched")
      expect(fs.lstatSync(nodePath.join(folderOf(directory), "call_1.json")).isFile()).toBe(true)
      expect(fs.readdirSync(outside)).toEqual(["target"])
    }),
  )

  it.scoped("a folder that cannot be written fails with its path and next step, and an absent one has no answers", () =>
    Effect.gen(function* () {
      const directory = yield* RunFolders.temporary
      const evidence = yield* store(directory)
      expect(yield* evidence.findByPrompt(promptHash("call_1"))).toEqual(Option.none())
      fs.writeFileSync(nodePath.join(directory, "evidence"), "")
      const error = yield* Effect.flip(evidence.put(success("call_1")))
      expect(error).toMatchObject({ operation: "put", path: expect.stringContaining("call_1.json") })
      expect(error.message).toMatch(/move|folder/)
    }),
  )
})
