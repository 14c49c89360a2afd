import * as fs from "node:fs"
import * as path from "node:path"
import * as esbuild from "esbuild"
import * as Repository from "../support/Repository.js"

/** The child programs of the delivery bench, bundled as a user's program would be. */
export interface BenchPrograms {
  readonly appending: ReadonlyArray<string>
  readonly calling: ReadonlyArray<string>
}

const NAMES = ["AppendingMain", "CallingMain"] as const

/** Bundles them beside dist/bin; they are removed when this process ends. */
export const bundle = async (): Promise<BenchPrograms> => {
  const folder = path.join(Repository.root, "dist", `bench-programs-${process.pid}`)
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
  await esbuild.build({
    absWorkingDir: Repository.root,
    entryPoints: NAMES.map((name) => `test/support/${name}.ts`),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    external: ["better-sqlite3"],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    logLevel: "silent",
  })
  const [appending, calling] = NAMES.map((name) => [path.join(folder, `${name}.mjs`)])
  return { appending: appending ?? [], calling: calling ?? [] }
}
