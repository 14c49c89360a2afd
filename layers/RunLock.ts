import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import * as fs from "node:fs/promises"
import * as nodePath from "node:path"
import { promisify } from "node:util"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"

/** The file in a run's folder that names the process to which the run belongs. */
export const FILE = "lock"

const MAX_BYTES = 4096
const ATTEMPTS = 8

/** A process: its id, and when it started as the operating system tells it; null where it does not. */
export const Owner = Schema.Struct({
  pid: Schema.Int.pipe(Schema.positive()),
  start_time: Schema.NullOr(Schema.String),
})
export type Owner = typeof Owner.Type

const decode = Schema.decodeUnknownEither(Schema.parseJson(Owner))
const run = promisify(execFile)

const DEAD_STATES = ["Z", "X", "x"]

/** State and start time (clock ticks since boot) in Linux's `/proc/<pid>/stat`: the command's name before them may hold anything. */
const fromProc = (stat: string): string | undefined => {
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return state === undefined || DEAD_STATES.includes(state) ? undefined : fields[18]
}

const fromPs = async (pid: number): Promise<string | null | undefined> => {
  try {
    const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)], {
      env: { PATH: "/bin:/usr/bin", LC_ALL: "C" },
    })
    return stdout.trim() === "" ? undefined : stdout.trim()
  } catch (cause) {
    return FileProblem.code(cause) === "ENOENT" ? null : undefined
  }
}

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return FileProblem.code(cause) === "EPERM"
  }
}

/** When a process started; null where that cannot be told, `undefined` when there is no such process. */
export const startTimeOf = async (pid: number): Promise<string | null | undefined> => {
  if (!exists(pid)) return undefined
  if (process.platform !== "linux") return process.platform === "win32" ? null : fromPs(pid)
  const stat = await fs.readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined)
  return stat === undefined ? fromPs(pid) : fromProc(stat)
}

/** Whether that very process still runs; another one that got its id since does not count. */
export const isAlive = async (owner: Owner): Promise<boolean> => {
  const startTime = await startTimeOf(owner.pid)
  if (startTime === undefined) return false
  return startTime === null || owner.start_time === null || startTime === owner.start_time
}

const textOf = (folder: string): Promise<string | undefined> => PrivateFile.read(nodePath.join(folder, FILE), MAX_BYTES)

const parse = (text: string): Owner | undefined => Either.getOrUndefined(decode(text))

/** The live process that a run's folder belongs to; `undefined` when there is none. Rejects when the lock cannot be read. */
export const liveOwner = async (folder: string): Promise<Owner | undefined> => {
  const text = await textOf(folder)
  const owner = text === undefined ? undefined : parse(text)
  return owner !== undefined && (await isAlive(owner)) ? owner : undefined
}

/**
 * Takes a dead owner's lock out of the way. Two processes may do so at once: who finds that it took a fresh lock instead
 * puts that back.
 */
const removeDead = async (folder: string, dead: string): Promise<void> => {
  const path = nodePath.join(folder, FILE)
  const aside = nodePath.join(folder, `.${FILE}.${randomBytes(6).toString("hex")}`)
  try {
    await fs.rename(path, aside)
  } catch (cause) {
    if (FileProblem.code(cause) === "ENOENT") return
    throw cause
  }
  if ((await fs.readFile(aside, "utf8")) !== dead) {
    await fs.link(aside, path).catch(() => undefined)
  }
  await fs.rm(aside, { force: true })
}

/** A held lock: its text, by which it is known again. */
export interface Held {
  readonly text: string
}

/**
 * Makes this process the owner of a run's folder; gives the live owner instead when there is one. A dead owner's lock, or one
 * that cannot be understood, is replaced. Rejects with the file system's error.
 */
export const acquire = async (folder: string): Promise<Either.Either<Held, Owner>> => {
  const start_time = (await startTimeOf(process.pid)) ?? null
  const text = `${JSON.stringify({ pid: process.pid, start_time })}\n`
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await PrivateFile.create(nodePath.join(folder, FILE), text)
      return Either.right({ text })
    } catch (cause) {
      if (FileProblem.code(cause) !== "EEXIST") throw cause
    }
    const found = await textOf(folder)
    if (found === undefined) continue
    const owner = parse(found)
    if (owner !== undefined && (await isAlive(owner))) return Either.left(owner)
    await removeDead(folder, found)
  }
  throw new Error("other processes keep taking the lock; try again")
}

/** Gives the lock back, unless it is not ours any more. */
export const release = async (folder: string, held: Held): Promise<void> => {
  if ((await textOf(folder)) === held.text) await fs.rm(nodePath.join(folder, FILE), { force: true })
}
