import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as GroupSync from "../../layers/GroupSync.js"
import * as RunFolders from "../support/RunFolders.js"

const opened = (path: string) =>
  Effect.acquireRelease(
    Effect.sync(() => fs.openSync(path, "a")),
    (fd) => Effect.sync(() => fs.closeSync(fd)),
  )

describe("GroupSync", () => {
  it.scoped("every waiter returns, alone or among many, and then nothing runs any more", () =>
    Effect.gen(function* () {
      const fd = yield* opened(nodePath.join(yield* RunFolders.temporary, "file"))
      const sync = GroupSync.make(fd, String)
      yield* sync.wait
      yield* Effect.forEach(Array.from({ length: 100 }), () => sync.wait, { concurrency: "unbounded", discard: true })
      yield* sync.idle
    }),
  )

  it.scoped("after a flush that failed no later one is believed", () =>
    Effect.gen(function* () {
      const fd = yield* opened("/dev/null")
      const sync = GroupSync.make(fd, (cause) => (cause instanceof Error ? cause.message : "unknown"))
      expect(yield* Effect.flip(sync.wait)).toMatch(/EINVAL/)
      expect(yield* Effect.flip(sync.wait)).toMatch(/EINVAL/)
      yield* sync.idle
    }),
  )
})
