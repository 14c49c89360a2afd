import { existsSync, mkdirSync, statSync } from "node:fs"
import * as nodePath from "node:path"
import * as FileProblem from "./FileProblem.js"

const makeOne = (path: string, mode: number): void => {
  try {
    mkdirSync(path, { mode })
  } catch (cause) {
    if (FileProblem.code(cause) !== "EEXIST") throw cause
  }
}

/**
 * Makes a folder and those above it; `mode` is for the new ones only. Throws the file system's error, `EEXIST` when the
 * name is taken by something else. Node's own recursive `mkdir` never returns where a file system denies with `ENOENT`, as
 * `/proc` does.
 */
export const ensure = (path: string, mode = 0o777): void => {
  const missing: Array<string> = []
  let at = nodePath.resolve(path)
  while (!existsSync(at) && nodePath.dirname(at) !== at) {
    missing.unshift(at)
    at = nodePath.dirname(at)
  }
  for (const folder of missing) makeOne(folder, mode)
  if (!statSync(path).isDirectory()) {
    throw Object.assign(new Error(`EEXIST: ${path} is not a folder`), { code: "EEXIST" })
  }
}
