import * as fs from "node:fs"
import * as path from "node:path"
import * as Repository from "../support/Repository.js"

/**
 * A copy of the built bin beside dist/bin, so that a rebuild in the middle of a measurement does not change what is measured.
 * It is removed when this process ends.
 */
export const freeze = (): string => {
  const folder = path.join(Repository.root, "dist", `bench-${process.pid}`)
  fs.cpSync(path.join(Repository.root, "dist", "bin"), folder, { recursive: true })
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
  return path.join(folder, "runledger.js")
}
