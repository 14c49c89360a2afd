// The bin's entry. A good part of a start is the compiling of functions that run once; where the build left the code cache of the
// whole program as one script, that is run instead of the modules. Without a cache for this Node nothing else changes.
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as CachedScript from "./CachedScript.mjs"

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
