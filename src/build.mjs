// The one build: `node src/build.mjs` bundles src/main.ts into dist/bin, `--lib` compiles the public library into dist/lib.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const binFolder = path.join(root, "dist", "bin")
const libFolder = path.join(root, "dist", "lib")
const stampFile = path.join(binFolder, ".stamp.json")
const entryFile = path.join(binFolder, "runledger.js")

const sourceFolders = ["src", "services", "layers"]
const settingFiles = ["package.json", "package-lock.json", "tsconfig.json", "src/build.mjs"]

const sources = (folder) =>
  fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === "examples" ? [] : sources(file)
    return /\.(ts|json)$/.test(entry.name) ? [file] : []
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

/** Whether dist/bin holds, whole, what the sources say. */
export const isCurrent = (hash) => {
  const stamp = readJson(stampFile)
  return stamp?.hash === hash && stamp.outputs.every((name) => fs.existsSync(path.join(binFolder, name)))
}

const bundle = (esbuild) =>
  esbuild.build({
    absWorkingDir: root,
    entryPoints: { runledger: "src/main.ts" },
    outdir: "dist/bin",
    write: false,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    chunkNames: "chunk-[hash]",
    external: ["better-sqlite3"],
    banner: {
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
    logLevel: "silent",
  })

const asProgram = (text) => (text.startsWith("#!") ? text : `#!/usr/bin/env node\n${text}`)

/**
 * Writes the bundle so that a program running from the old one keeps working: chunks are named by content, the entry is
 * swapped in last by a rename, and the chunks of the build before stay until the next one.
 */
const write = (outputs, hash) => {
  fs.mkdirSync(binFolder, { recursive: true })
  const place = (file, contents, mode) => {
    const temporary = `${file}.${process.pid}.tmp`
    fs.writeFileSync(temporary, contents, { mode })
    fs.renameSync(temporary, file)
  }
  const names = outputs.map((output) => path.basename(output.path))
  for (const output of outputs) {
    if (output.path !== entryFile) place(output.path, output.contents, 0o644)
  }
  for (const output of outputs) {
    if (output.path === entryFile) place(entryFile, asProgram(output.text), 0o755)
  }
  const kept = new Set([...names, ...(readJson(stampFile)?.outputs ?? []), path.basename(stampFile)])
  for (const name of fs.readdirSync(binFolder)) {
    if (!kept.has(name)) fs.rmSync(path.join(binFolder, name), { force: true })
  }
  place(stampFile, `${JSON.stringify({ hash, outputs: names })}\n`, 0o644)
}

/** Bundles src/main.ts into dist/bin/runledger.js and its chunks. Rejects with esbuild's own error when a source is wrong. */
export const buildBin = async () => {
  const hash = sourceHash()
  const esbuild = await import("esbuild")
  try {
    const result = await bundle(esbuild)
    write(result.outputFiles, hash)
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
