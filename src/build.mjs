// The one build: `node src/build.mjs` bundles src/main.ts into dist/bin, `--lib` compiles the public library into dist/lib.
//
// dist/bin holds the program twice: as modules, of which a command loads what it uses, and as one script with V8's code cache of it,
// from which a start has much less to compile (src/launcher.mjs chooses). The cache is made here, by a server started for it,
// and serves this Node with its usual flags on this kind of processor alone. Anywhere else, and in the published package, which
// has neither script nor cache, the modules are run; nothing is ever written where the package is installed.
import { spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import * as CachedScript from "./CachedScript.mjs"

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const binFolder = path.join(root, "dist", "bin")
const libFolder = path.join(root, "dist", "lib")
const stampFile = path.join(binFolder, ".stamp.json")
const entryFile = path.join(binFolder, "runledger.js")

const sourceFolders = ["src", "services", "layers"]
const settingFiles = ["package.json", "package-lock.json", "tsconfig.json"]

const sources = (folder) =>
  fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === "examples" ? [] : sources(file)
    return /\.(ts|json|mjs)$/.test(entry.name) ? [file] : []
  })

const readJson = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"))
  } catch {
    return undefined
  }
}

/** A hash of everything the bin is made from: names and contents, no times. */
export const sourceHash = () => {
  const hash = createHash("sha256")
  const files = sourceFolders.filter((name) => fs.existsSync(path.join(root, name)))
  for (const file of [
    ...settingFiles.map((name) => path.join(root, name)),
    ...files.flatMap((name) => sources(path.join(root, name))).sort(),
  ]) {
    const content = fs.readFileSync(file)
    hash.update(`${path.relative(root, file)}\0${content.length}\0`).update(content)
  }
  return hash.digest("hex")
}

/** What the code cache is for; a newer Node gets its own. */
const engine = `${process.version} ${process.arch}`

/** Whether dist/bin holds, whole, what the sources say, built by this Node. */
export const isCurrent = (hash) => {
  const stamp = readJson(stampFile)
  return (
    stamp?.hash === hash &&
    stamp.engine === engine &&
    stamp.outputs.every((name) => fs.existsSync(path.join(binFolder, name)))
  )
}

const bundling = {
  absWorkingDir: root,
  outdir: "dist/bin",
  write: false,
  bundle: true,
  platform: "node",
  target: "node20",
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  external: ["better-sqlite3", "esbuild"],
  logLevel: "silent",
}

const script = (esbuild) =>
  esbuild.build({
    ...bundling,
    entryPoints: { runledger: "src/main.ts" },
    entryNames: "[name]-[hash]",
    outExtension: { ".js": ".cjs" },
    format: "cjs",
    lineLimit: 200,
    define: { "import.meta.url": CachedScript.address },
  })

const modules = (esbuild, scriptName) =>
  esbuild.build({
    ...bundling,
    entryPoints: { runledger: "src/launcher.mjs", RunStoreSqlReaderMain: "layers/RunStoreSqlReaderMain.ts" },
    splitting: true,
    format: "esm",
    chunkNames: "chunk-[hash]",
    define: { RUNLEDGER_SCRIPT: JSON.stringify(scriptName) },
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  })

const nameOf = (output) => path.basename(output.path)

const bundle = async (esbuild) => {
  const [whole] = (await script(esbuild)).outputFiles
  const { outputFiles } = await modules(esbuild, nameOf(whole))
  return { whole, outputs: [...outputFiles, whole] }
}

const asProgram = (text) => (text.startsWith("#!") ? text : `#!/usr/bin/env node\n${text}`)

/**
 * Has a server, started from the script on a database of its own, leave the code cache beside it; a folder of its own is its home, and no
 * setting reaches it. When none can be made, servers start as they do without one.
 */
const makeCache = async (scriptFile) => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "runledger-cache-"))
  try {
    const child = spawn(process.execPath, [path.join(root, "src", "codeCache.mjs"), scriptFile, home], {
      cwd: home,
      env: { HOME: home },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: 60_000,
      killSignal: "SIGKILL",
    })
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text) => (said += text))
    const end = await new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message))
      child.once("close", (code, signal) => resolve(code ?? signal))
    })
    if (end === 0) return
    const why = said.trimEnd().split("\n").at(-1)
    process.stderr.write(
      `build: no code cache, servers start a little slower (the server for it ended with ${end}: ${why})\n`,
    )
  } finally {
    fs.rmSync(home, { recursive: true, force: true })
  }
}

/** The caches that stand beside a script: of this Node, and of others that built from the same sources. */
const cachesOf = (whole) => {
  const stem = nameOf(whole).replace(/cjs$/, "")
  return fs.readdirSync(binFolder).filter((name) => name.startsWith(stem) && name.endsWith(".cache"))
}

/**
 * Writes the bundle so that a program running from the old one keeps working: chunks are named by content, the entry is
 * swapped in last by a rename, and the chunks of the build before stay until the next one.
 */
const write = async ({ whole, outputs }, hash) => {
  fs.mkdirSync(binFolder, { recursive: true })
  const place = (file, contents, mode) => {
    const temporary = `${file}.${process.pid}.tmp`
    fs.writeFileSync(temporary, contents, { mode })
    fs.renameSync(temporary, file)
  }
  for (const output of outputs) {
    if (output.path !== entryFile) place(output.path, output.contents, 0o644)
  }
  await makeCache(whole.path)
  for (const output of outputs) {
    if (output.path === entryFile) place(entryFile, asProgram(output.text), 0o755)
  }
  const names = [...outputs.map(nameOf), ...cachesOf(whole)]
  const kept = new Set([...names, ...(readJson(stampFile)?.outputs ?? []), path.basename(stampFile)])
  for (const name of fs.readdirSync(binFolder)) {
    if (!kept.has(name)) fs.rmSync(path.join(binFolder, name), { force: true })
  }
  place(stampFile, `${JSON.stringify({ hash, engine, outputs: names })}\n`, 0o644)
}

/** Bundles src/main.ts into dist/bin/runledger.js and its chunks. Rejects with esbuild's own error when a source is wrong. */
export const buildBin = async () => {
  const hash = sourceHash()
  const esbuild = await import("esbuild")
  try {
    await write(await bundle(esbuild), hash)
  } finally {
    await esbuild.stop()
  }
}

const buildLib = () => {
  fs.rmSync(libFolder, { recursive: true, force: true })
  const tsc = path.join(root, "node_modules", "typescript", "bin", "tsc")
  const { status } = spawnSync(process.execPath, [tsc, "-p", path.join(root, "tsconfig.lib.json")], {
    stdio: "inherit",
  })
  return status ?? 1
}

const report = async (error) => {
  const { formatMessages } = await import("esbuild")
  const messages = error?.errors?.length ? await formatMessages(error.errors, { kind: "error" }) : [String(error)]
  process.stderr.write(messages.join("\n"))
  return 1
}

if (process.argv[1] && import.meta.url === pathToFileURL(fs.realpathSync(process.argv[1])).href) {
  // What is packed for others holds this build's chunks alone.
  if (process.argv.includes("--fresh")) fs.rmSync(binFolder, { recursive: true, force: true })
  process.exitCode = process.argv.includes("--lib") ? buildLib() : await buildBin().then(() => 0, report)
}
