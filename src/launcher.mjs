// The bin's entry. A good part of a start is the compiling of functions that run once; where the build left the code cache of the
// whole program as one script, that is run instead of the modules. Without a cache for this Node nothing else changes.
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as CachedScript from "./CachedScript.mjs"

// By these, git tells the hooks that it starts where their repository is. A launch that a hook starts asks about other folders, which
// then all would seem to stand at that repository's commit.
for (const name of [
  "GIT_DIR",
  "GIT_WORK_TREE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_COMMON_DIR",
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_SHALLOW_FILE",
  "GIT_GRAFT_FILE",
  "GIT_NAMESPACE",
  "GIT_PREFIX",
])
  delete process.env[name]

/** The script and its cache, when both are here and V8 takes them. */
const cached = () => {
  const script = path.join(path.dirname(fileURLToPath(import.meta.url)), RUNLEDGER_SCRIPT)
  try {
    const compiled = CachedScript.compile(script, CachedScript.cacheOf(script))
    return compiled.cachedDataRejected ? undefined : () => CachedScript.run(compiled, script)
  } catch {
    return undefined
  }
}

// To say the version takes fewer modules than reading the cache is worth.
const fromCache = process.argv[2] === "--version" ? undefined : cached()
if (fromCache === undefined) await import("./main.ts")
else fromCache()
