import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as esbuild from "esbuild"

const root = nodePath.resolve(import.meta.dirname, "..", "..")

/** Some of the packages are CommonJS, and ask for modules of Node by `require`. */
const REQUIRE = `import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);`

/** A program of this folder as one file: Node starts it in a tenth of the time that its sources take. */
export interface BundledProgram {
  readonly path: string
  readonly remove: () => void
}

/** The file stands where the packages that cannot be bundled are found. */
export const make = async (name: string): Promise<BundledProgram> => {
  const cache = nodePath.join(root, "node_modules", ".cache", "runledger")
  fs.mkdirSync(cache, { recursive: true })
  const folder = fs.mkdtempSync(nodePath.join(cache, "program-"))
  const path = nodePath.join(folder, "program.mjs")
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: [nodePath.join("test", "support", name)],
    outfile: path,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    external: ["better-sqlite3"],
    banner: { js: REQUIRE },
    logLevel: "error",
  })
  return { path, remove: () => fs.rmSync(folder, { recursive: true, force: true }) }
}
