import { fileURLToPath } from "node:url"

/** What a thread is started from: a file, or a program's text. */
export interface Program {
  readonly from: URL | string
  readonly eval: boolean
}

const NAME = "RunStoreSqlReaderMain"

let bundled: Promise<string> | undefined

/**
 * Node reads no TypeScript in a thread. Where this checkout runs from its sources, in its tests and benches, the thread's
 * program is bundled in memory, once a process, by the bundler that builds the bin.
 */
const bundle = async (entry: string): Promise<string> => {
  const { build } = await import("esbuild")
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    format: "cjs",
    target: "node20",
    external: ["better-sqlite3"],
    banner: { js: `globalThis.require = require("node:module").createRequire(${JSON.stringify(entry)});` },
    logLevel: "silent",
  })
  return outputFiles[0]?.text ?? ""
}

const fromSources = (): Promise<Program> => {
  const entry = fileURLToPath(new URL(`./${NAME}.ts`, import.meta.url))
  bundled ??= bundle(entry)
  return bundled.then((text) => ({ from: text, eval: true }))
}

/** The program of the thread that reads: the built file beside this one, in the package's bin and library alike. */
export const program = (): Promise<Program> =>
  import.meta.url.endsWith(".ts")
    ? fromSources()
    : Promise.resolve({ from: new URL(`./${NAME}.js`, import.meta.url), eval: false })
