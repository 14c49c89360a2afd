// Makes this checkout ready to run, or says what is missing. Runs before `npm start` and `npm test`; needs nothing but Node.
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { createRequire } from "node:module"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

const minimumNode = [20, 19]
const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const modules = path.join(root, "node_modules")
const cacheFolder = path.join(modules, ".cache", "runledger")
const installStamp = path.join(cacheFolder, "installed.json")
const patchStamp = path.join(cacheFolder, "patched.json")
const compiler = path.join(modules, "typescript", "lib", "_tsc.js")
const lockFile = path.join(root, "dist", "setup.lock")

class SetupError extends Error {}

const say = (line) => process.stderr.write(`setup: ${line}\n`)
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
const sha256 = (file) => createHash("sha256").update(fs.readFileSync(file)).digest("hex")

const readJson = (file) => {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"))
  } catch {
    return undefined
  }
}

const writeJson = (file, value) => {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.tmp`
  fs.writeFileSync(temporary, `${JSON.stringify(value)}\n`)
  fs.renameSync(temporary, file)
}

// --- Node

const checkNode = () => {
  const [major, minor] = process.versions.node.split(".").map(Number)
  const recent = major > minimumNode[0] || (major === minimumNode[0] && minor >= minimumNode[1])
  if (!recent) {
    throw new SetupError(
      `Runledger needs Node ${minimumNode.join(".")} or newer; this is ${process.version} (${process.execPath}).\n` +
        "Install a current Node (https://nodejs.org, or `nvm install 22`) and run the command again.",
    )
  }
}

// --- commands

/** Runs a command quietly; its output is shown only when it fails. A line every half minute says that it still works. */
const run = (command, commandArguments, { patience, shell = false }) =>
  new Promise((resolve) => {
    const environment = { ...process.env }
    delete environment.NODE_ENV
    for (const name of Object.keys(environment)) {
      if (/^npm_config_(ignore_scripts|omit|only|production|include|dry_run|package_lock_only)$/i.test(name)) {
        delete environment[name]
      }
    }
    environment.JOBS ??= "max"
    const child = spawn(command, commandArguments, {
      cwd: root,
      env: environment,
      shell,
      stdio: ["ignore", "pipe", "pipe"],
    })
    const output = []
    child.stdout.on("data", (chunk) => output.push(chunk))
    child.stderr.on("data", (chunk) => output.push(chunk))
    let seconds = 0
    const reminder = setInterval(() => {
      seconds += 30
      say(`${patience} (${seconds} s)`)
    }, 30_000)
    const end = (code, failure) => {
      clearInterval(reminder)
      resolve({ code, output: failure ? failure.message : Buffer.concat(output).toString("utf8") })
    }
    child.on("error", (failure) => end(1, failure))
    child.on("close", (code) => end(code ?? 1))
  })

/** The npm that runs us, or the one on the PATH when none (or another package manager) does. */
const npm = (commandArguments, options) => {
  const runner = process.env.npm_execpath
  if (runner !== undefined && /^np[mx]-cli\.c?js$/.test(path.basename(runner)) && fs.existsSync(runner)) {
    const cli = path.join(path.dirname(runner), path.basename(runner).replace("npx", "npm"))
    return run(process.execPath, [cli, ...commandArguments], options)
  }
  return run(process.platform === "win32" ? "npm.cmd" : "npm", commandArguments, {
    ...options,
    shell: process.platform === "win32",
  })
}

const lastLines = (text, count) => text.trimEnd().split("\n").slice(-count).join("\n")

// --- packages

const installKey = () => {
  const hidden = path.join(modules, ".package-lock.json")
  if (!fs.existsSync(hidden)) return undefined
  return {
    lock: sha256(path.join(root, "package-lock.json")),
    installed: sha256(hidden),
    platform: `${process.platform}-${process.arch}`,
  }
}

const same = (left, right) => JSON.stringify(left) === JSON.stringify(right)

const packagesAreThere = () => {
  const installed = readJson(path.join(modules, ".package-lock.json"))?.packages
  if (installed === undefined) return false
  return Object.keys(installed).every((place) => fs.existsSync(path.join(root, place, "package.json")))
}

/** Whether what npm says it installed here is what the lockfile asks for, whoever ran npm. */
const matchesLockfile = () => {
  const installed = readJson(path.join(modules, ".package-lock.json"))?.packages
  const wanted = readJson(path.join(root, "package-lock.json"))?.packages
  if (installed === undefined || wanted === undefined) return false
  const places = Object.keys(wanted).filter((place) => place !== "")
  return (
    Object.keys(installed).every((place) => wanted[place]?.version === installed[place].version) &&
    places.every((place) => installed[place] !== undefined || wanted[place].optional || wanted[place].devOptional)
  )
}

const packagesAreCurrent = () => {
  const key = installKey()
  if (key === undefined || !packagesAreThere()) return false
  const stamp = readJson(installStamp)
  return stamp !== undefined
    ? same(stamp, key) || (stamp.platform === key.platform && matchesLockfile())
    : matchesLockfile()
}

const installPackages = async () => {
  say("installing packages from package-lock.json (a minute or two the first time)")
  const result = await npm(["ci", "--include=dev", "--no-audit", "--no-fund"], {
    patience: "still installing; where better-sqlite3 has to be compiled that takes minutes",
  })
  if (result.code !== 0) {
    throw new SetupError(`\`npm ci\` failed:\n${lastLines(result.output, 30)}\n\n${installAdvice(result.output)}`)
  }
}

const installAdvice = (output) => {
  if (/spawn npm(\.cmd)? ENOENT/.test(output))
    return "npm is not on the PATH. It comes with Node; run this as `npm start` or `npm test`."
  if (/node-gyp|gyp ERR|prebuild-install|better[-_]sqlite3/.test(output)) return compilerAdvice(output)
  if (/EUSAGE|in sync/.test(output)) {
    return "package.json and package-lock.json disagree. Take both from the same commit, or run `npm install` if you changed a dependency."
  }
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET/.test(output)) {
    return "The package registry could not be reached. Check the network and `npm config get registry`, then run the command again."
  }
  if (/EACCES|EPERM|EROFS/.test(output)) return `Files under ${modules} could not be written. Check who owns them.`
  if (/ENOSPC/.test(output)) return "The disk is full. Free some space and run the command again."
  return "Mend what it says and run the command again."
}

// --- the native module

const onPath = (names) =>
  names.some((name) =>
    (process.env.PATH ?? "")
      .split(path.delimiter)
      .some((folder) => ["", ".exe", ".cmd"].some((suffix) => fs.existsSync(path.join(folder, name + suffix)))),
  )

const missingTools = () => [
  ...(onPath(["python3", "python"]) ? [] : ["Python 3"]),
  ...(process.platform === "win32" || onPath(["make", "gmake"]) ? [] : ["make"]),
  ...(process.platform === "win32" || onPath(["c++", "g++", "clang++"]) ? [] : ["a C++ compiler"]),
]

const toolsCommand = () => {
  if (process.platform === "darwin") return "xcode-select --install"
  if (process.platform === "win32") {
    return 'winget install Python.Python.3.12; winget install Microsoft.VisualStudio.2022.BuildTools --override "--add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"'
  }
  const release = fs.existsSync("/etc/os-release") ? fs.readFileSync("/etc/os-release", "utf8") : ""
  if (/^ID(_LIKE)?=.*(fedora|rhel|centos)/m.test(release)) return "sudo dnf install -y python3 make gcc-c++"
  if (/^ID(_LIKE)?=.*alpine/m.test(release)) return "apk add python3 make g++"
  if (/^ID(_LIKE)?=.*arch/m.test(release)) return "sudo pacman -S --needed python make gcc"
  if (/^ID(_LIKE)?=.*suse/m.test(release)) return "sudo zypper install -y python3 make gcc-c++"
  return "sudo apt-get install -y python3 make g++"
}

const compilerAdvice = (output) => {
  const missing = missingTools()
  const opening = "better-sqlite3 (the SQLite binding) has no prebuilt binary for this machine and has to be compiled."
  if (missing.length > 0) {
    return `${opening}\nMissing here: ${missing.join(", ")}. Install what is missing, then run the command again:\n  ${toolsCommand()}`
  }
  if (
    /node_api\.h|node\.h: No such file|headers|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|getaddrinfo|40[34]/.test(
      output,
    )
  ) {
    return (
      `${opening}\nIts compilation needs the headers of Node ${process.version}, which could not be fetched. Connect to the network, or point to headers\n` +
      "that are already here (the folder that contains include/node), then run the command again:\n  npm_config_nodedir=/usr npm start"
    )
  }
  return `${opening}\nPython, make and a C++ compiler are here, but compiling failed. The lines above say why; this installs the usual tools:\n  ${toolsCommand()}`
}

const loadProblem = () => {
  try {
    const Database = createRequire(path.join(root, "package.json"))("better-sqlite3")
    new Database(":memory:").close()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Asks a fresh process, because a module that failed to load here stays failed here. */
const loadsElsewhere = async () => {
  const program = 'const D = require("better-sqlite3"); new D(":memory:").close()'
  return run(process.execPath, ["-e", program], { patience: "still trying better-sqlite3" })
}

const rebuildNative = async (problem) => {
  say(`rebuilding better-sqlite3 for Node ${process.version} (${firstLine(problem)})`)
  const result = await npm(["rebuild", "better-sqlite3", "--foreground-scripts"], {
    patience: "still compiling better-sqlite3",
  })
  const check = result.code === 0 ? await loadsElsewhere() : result
  if (check.code !== 0) {
    throw new SetupError(
      `better-sqlite3 cannot be loaded and could not be rebuilt:\n${lastLines(check.output, 30)}\n\n${installAdvice(check.output)}`,
    )
  }
}

const firstLine = (text) => {
  const line = text.split("\n").find((candidate) => candidate.trim() !== "") ?? ""
  return line.length > 100 ? `${line.slice(0, 100)}…` : line
}

// --- the compiler's Effect diagnostics

const patchKey = () => {
  const service = readJson(path.join(modules, "@effect", "language-service", "package.json"))
  const file = fs.statSync(compiler, { throwIfNoEntry: false })
  return file && { service: service?.version, size: file.size, modified: file.mtimeMs }
}

const isPatched = () => {
  const key = patchKey()
  return key !== undefined && same(readJson(patchStamp), key)
}

const patchCompiler = async () => {
  say("teaching the TypeScript compiler Effect's diagnostics")
  const cli = path.join(modules, "@effect", "language-service", "cli.js")
  const result = await run(process.execPath, [cli, "patch"], { patience: "still patching" })
  if (result.code !== 0 || !fs.readFileSync(compiler, "utf8").includes("@effect-lsp-patch")) {
    throw new SetupError(
      `The TypeScript compiler could not be patched:\n${lastLines(result.output, 15)}\nRun \`npm ci\` and try again.`,
    )
  }
  fs.rmSync(path.join(modules, ".cache", "runledger.tsbuildinfo"), { force: true })
  writeJson(patchStamp, patchKey())
}

// --- the bin

const buildBin = async (build) => {
  say("building dist/bin/runledger.js")
  try {
    await build.buildBin()
  } catch (error) {
    throw new SetupError(`The bin could not be built:\n${error instanceof Error ? error.message : error}`)
  }
}

// --- one at a time

const isGone = (pid) => {
  const age = Date.now() - (fs.statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
  if (age > 60_000) return true
  if (pid === undefined) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === "ESRCH"
  }
}

const tryLock = () => {
  fs.mkdirSync(path.dirname(lockFile), { recursive: true })
  try {
    fs.writeFileSync(lockFile, JSON.stringify({ pid: process.pid }), { flag: "wx" })
    return true
  } catch (error) {
    if (error.code !== "EEXIST") throw error
  }
  const owner = readJson(lockFile)?.pid
  if (isGone(owner)) takeAway(owner)
  return false
}

/** Removes a dead owner's lock by renaming it first, so that of several that want it only one does; gives back a living one's. */
const takeAway = (owner) => {
  const grave = `${lockFile}.${process.pid}`
  try {
    fs.renameSync(lockFile, grave)
    if (readJson(grave)?.pid !== owner) fs.linkSync(grave, lockFile)
  } catch (error) {
    if (error.code !== "ENOENT" && error.code !== "EEXIST") throw error
  }
  fs.rmSync(grave, { force: true })
}

/** Runs alone among the setups of this checkout. A lock whose owner died, or that nobody touched for a minute, is taken over. */
const alone = async (work) => {
  for (let waits = 0; !tryLock(); waits += 1) {
    if (waits === 5) say("waiting for another setup of this folder to end")
    await pause(200)
  }
  const heartbeat = setInterval(() => fs.utimes(lockFile, new Date(), new Date(), () => {}), 10_000)
  const release = () => fs.rmSync(lockFile, { force: true })
  const stop = (signal) => {
    release()
    process.exit(signal === "SIGINT" ? 130 : 143)
  }
  process.once("SIGINT", stop).once("SIGTERM", stop)
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    release()
  }
}

// --- all of it

const isReady = (build) =>
  packagesAreCurrent() &&
  same(readJson(installStamp), installKey()) &&
  loadProblem() === undefined &&
  isPatched() &&
  build.isCurrent(build.sourceHash())

const prepare = async (build) => {
  if (!packagesAreCurrent()) await installPackages()
  writeJson(installStamp, installKey())
  const problem = loadProblem()
  if (problem !== undefined) await rebuildNative(problem)
  if (!isPatched()) await patchCompiler()
  if (!build.isCurrent(build.sourceHash())) await buildBin(build)
}

const main = async () => {
  checkNode()
  const build = await import("./build.mjs")
  if (isReady(build)) return
  await alone(() => prepare(build))
  say("ready")
}

main().catch((error) => {
  process.stderr.write(`${error instanceof SetupError ? error.message : (error?.stack ?? error)}\n`)
  process.exitCode = 1
})
