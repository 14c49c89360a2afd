// The program as one script, and V8's code cache of it: how both are named, compiled and run, by the launcher and the build alike.
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { pathToFileURL } from "node:url"
import * as v8 from "node:v8"
import * as vm from "node:vm"
import { crc32 } from "node:zlib"

/** What the script calls `import.meta.url`, which a script does not have. */
export const address = "__scriptUrl"

/**
 * The cache of a script, for this machine's Node: its tag is V8's version, its flags and what the processor can do. The script's own
 * name is made from its content, so a cache of other code is not found either.
 */
const cacheFile = (script) =>
  script.replace(/\.cjs$/, `.${process.arch}-${v8.cachedDataVersionTag().toString(16)}.cache`)

const CHECK = 4

/** The cache of a script for this Node. Throws when there is none, or not the whole one: V8 believes a damaged one, and crashes. */
export const cacheOf = (script) => {
  const bytes = fs.readFileSync(cacheFile(script))
  const cache = bytes.subarray(0, -CHECK)
  if (bytes.readUInt32LE(cache.length) !== crc32(cache)) throw new Error(`${cacheFile(script)} is damaged`)
  return cache
}

/** Leaves what V8 has compiled of a script so far beside it, as its cache. */
export const keep = (compiled, script) => {
  const cache = compiled.createCachedData()
  const check = Buffer.alloc(CHECK)
  check.writeUInt32LE(crc32(cache))
  const temporary = `${cacheFile(script)}.${process.pid}.tmp`
  fs.writeFileSync(temporary, Buffer.concat([cache, check]), { mode: 0o644 })
  fs.renameSync(temporary, cacheFile(script))
}

/** The script, compiled. What its cache holds is not compiled again; a cache for another V8 is left aside (`cachedDataRejected`). */
export const compile = (script, cachedData) => {
  // Nothing but ASCII: latin1 is what V8 keeps without decoding.
  const code = fs.readFileSync(script, "latin1")
  return new vm.Script(`(function (exports, require, module, __filename, __dirname, ${address}) {${code}\n})`, {
    filename: script,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData && { cachedData }),
  })
}

/** Runs a compiled script as Node runs a CommonJS module that stands in its place. */
export const run = (compiled, script) => {
  const module = { exports: {} }
  const url = pathToFileURL(script).href
  compiled.runInThisContext()(module.exports, createRequire(url), module, script, path.dirname(script), url)
}
