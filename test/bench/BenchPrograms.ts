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

/** Bundles source files beside dist/bin and says where the programs are; they are removed when this process ends. */
export const bundleFiles = async (files: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const folder = path.join(Repository.root, "dist", `bench-programs-${process.pid}`)
  process.once("exit", () => fs.rmSync(folder, { recursive: true, force: true }))
  await esbuild.build({
    absWorkingDir: Repository.root,
    entryPoints: [...files],
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
  return files.map((file) => path.join(folder, `${path.basename(file, ".ts")}.mjs`))
}

/** The programs of the delivery bench. */
export const bundle = async (): Promise<BenchPrograms> => {
  const programs = await bundleFiles(NAMES.map((name) => `test/support/${name}.ts`))
  const [appending, calling] = programs.map((program) => [program])
  return { appending: appending ?? [], calling: calling ?? [] }
}
