import { execFile } from "node:child_process"
import * as fs from "node:fs/promises"
import * as os from "node:os"
import * as nodePath from "node:path"
import { promisify } from "node:util"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { sha256Hex } from "../src/domain/CanonicalJson.js"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"

/** The file in a run's folder that names the process to which the run belongs. */
export const FILE = "lock"

const CLAIM_PREFIX = `.${FILE}.`
const MAX_BYTES = 4096
const ATTEMPTS = 16
/** So many processes may die one after the other while they take over the same lock. */
const MAX_DEPTH = 16

const Told = Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null })

/**
 * A process: its id, when it started as the operating system tells it, in which boot of which machine, and among which processes
 * that id is its own (a container has ids of its own); null where that cannot be told, or was not in an older lock.
 */
export const Owner = Schema.Struct({
  pid: Schema.Int.pipe(Schema.positive()),
  start_time: Schema.NullOr(Schema.String),
  boot_id: Told,
  host: Told,
  pid_namespace: Told,
})
export type Owner = typeof Owner.Type

const decode = Schema.decodeUnknownEither(Schema.parseJson(Owner))
const run = promisify(execFile)

const DEAD_STATES = ["Z", "X", "x"]

/** State and start time (clock ticks since boot) in Linux's `/proc/<pid>/stat`: the command's name before them may hold anything. */
const fromStat = (stat: string): string | undefined => {
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return state === undefined || DEAD_STATES.includes(state) ? undefined : fields[18]
}

/** Whether there is a process of that number, of whatever user. */
export const isThere = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return FileProblem.code(cause) !== "ESRCH"
  }
}

/** What cannot be read of a process that is there counts as unknown: only a process that is known to be gone is dead. */
const unknownOrGone = (pid: number): null | undefined => (isThere(pid) ? null : undefined)

const fromProc = (pid: number): Promise<string | null | undefined> =>
  fs.readFile(`/proc/${pid}/stat`, "utf8").then(fromStat, () => unknownOrGone(pid))

const fromPs = async (pid: number): Promise<string | null | undefined> => {
  try {
    const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)], {
      env: { PATH: "/bin:/usr/bin", LC_ALL: "C" },
    })
    return stdout.trim() === "" ? unknownOrGone(pid) : stdout.trim()
  } catch {
    return unknownOrGone(pid)
  }
}

/** When a process started; null where that cannot be told, `undefined` when there is no such process. */
export const startTimeOf = async (pid: number): Promise<string | null | undefined> => {
  if (!isThere(pid)) return undefined
  if (process.platform === "linux") return fromProc(pid)
  return process.platform === "win32" ? null : fromPs(pid)
}

type Place = Pick<Owner, "boot_id" | "host" | "pid_namespace">

let place: Promise<Place> | undefined

const linux = (read: () => Promise<string>): Promise<string | null> =>
  process.platform !== "linux"
    ? Promise.resolve(null)
    : read().then(
        (text) => text.trim(),
        () => null,
      )

/** Where this process runs. It does not change while it does. */
const here = (): Promise<Place> => {
  place ??= Promise.all([
    linux(() => fs.readFile("/proc/sys/kernel/random/boot_id", "utf8")),
    linux(() => fs.readlink("/proc/self/ns/pid")),
  ]).then(([boot_id, pid_namespace]) => ({ boot_id, host: os.hostname(), pid_namespace }))
  return place
}

/**
 * How a run's folder stands: nobody's, a live process's, left behind by a dead one (or with an empty lock), or somebody's of whom
 * nobody can tell from here whether they are alive: `where` says why.
 */
export type Standing =
  | { readonly _tag: "Free" }
  | { readonly _tag: "Owned"; readonly owner: Owner }
  | { readonly _tag: "Dead"; readonly owner: Owner | undefined }
  | { readonly _tag: "Unknown"; readonly owner: Owner | undefined; readonly where: string }

/** What keeps others from a run's folder. */
export type Taken = Extract<Standing, { readonly _tag: "Owned" | "Unknown" }>

const differ = (one: string | null, other: string | null): boolean => one !== null && other !== null && one !== other

/** Whether that very process still runs; another one that got its id since does not count. */
const isRunning = async ({ pid, start_time }: Owner): Promise<boolean> => {
  const startTime = await startTimeOf(pid)
  return startTime !== undefined && (startTime === null || start_time === null || startTime === start_time)
}

/** Process ids of another machine or container say nothing here, and an earlier boot's processes are gone. */
export const judged = async (owner: Owner): Promise<Standing> => {
  const own = await here()
  if (differ(owner.host, own.host)) return { _tag: "Unknown", owner, where: `on ${owner.host}` }
  if (differ(owner.boot_id, own.boot_id)) return { _tag: "Dead", owner }
  if (differ(owner.pid_namespace, own.pid_namespace)) {
    return { _tag: "Unknown", owner, where: "in another container" }
  }
  return { _tag: (await isRunning(owner)) ? "Owned" : "Dead", owner }
}

const standingOf = async (text: string | undefined): Promise<Standing> => {
  if (text === undefined) return { _tag: "Free" }
  if (text.trim() === "") return { _tag: "Dead", owner: undefined }
  return Either.match(decode(text), {
    onLeft: (): Standing => ({ _tag: "Unknown", owner: undefined, where: "though its lock does not name it" }),
    onRight: judged,
  })
}

/** Whose a run's folder is, without changing anything. Rejects when the lock cannot be read. */
export const standing = async (folder: string): Promise<Standing> =>
  standingOf(await PrivateFile.read(nodePath.join(folder, FILE), MAX_BYTES))

/** Says of an owner of whom nothing is known here what may be, and names the lock. */
export const doubt = (folder: string, where: string): string =>
  `its owner may be alive ${where} (${nodePath.join(folder, FILE)})`

/** A held lock: its text, by which it is known again, and whose it was before when it was taken over. */
export interface Held {
  readonly text: string
  readonly before: Extract<Standing, { readonly _tag: "Dead" | "Unknown" }> | undefined
}

export interface Options {
  /** Also takes over from an owner of whom nothing is known here; never from one that is seen to be alive. */
  readonly force: boolean
}

interface Claimant extends Options {
  readonly text: string
  readonly depth: number
}

/** The name of the claim that entitles to replace what a dead process left in a file. */
export const claimOn = (name: string, dead: string): string =>
  `${CLAIM_PREFIX}${sha256Hex(`${name}\n${dead}`).slice(0, 24)}`

const acquireFile = async (folder: string, name: string, claimant: Claimant): Promise<Either.Either<Held, Taken>> => {
  const { text, depth, force } = claimant
  if (depth > MAX_DEPTH) throw new Error("too many processes died while they took the lock over; remove it by hand")
  const path = nodePath.join(folder, name)
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      await PrivateFile.create(path, text)
      return Either.right({ text, before: undefined })
    } catch (cause) {
      if (FileProblem.code(cause) !== "EEXIST") throw cause
    }
    const found = await PrivateFile.read(path, MAX_BYTES)
    const before = await standingOf(found)
    if (before._tag === "Owned" || (before._tag === "Unknown" && !force)) return Either.left(before)
    if (found === undefined || before._tag === "Free") continue
    const taken = await takeOver(folder, name, found, claimant)
    if (Either.isLeft(taken)) return Either.left(taken.left)
    if (taken.right) return Either.right({ text, before })
  }
  throw new Error("other processes keep taking the lock; try again")
}

/**
 * Puts an own text in the place of a dead process's; false when it is gone by now. Only who holds the claim on that very text
 * may do so. The text never comes back, for its process is dead: whoever gets the claim later finds another text and leaves it
 * alone. The claim is a lock itself, so that one whose holder died is taken over by the same rule.
 */
const takeOver = async (
  folder: string,
  name: string,
  dead: string,
  claimant: Claimant,
): Promise<Either.Either<boolean, Taken>> => {
  const path = nodePath.join(folder, name)
  const claim = claimOn(name, dead)
  const claimed = await acquireFile(folder, claim, { ...claimant, depth: claimant.depth + 1 })
  if (Either.isLeft(claimed)) return Either.left(claimed.left)
  try {
    if ((await PrivateFile.read(path, MAX_BYTES)) !== dead) return Either.right(false)
    await PrivateFile.replace(path, claimant.text, "process")
    return Either.right(true)
  } finally {
    await fs.rm(nodePath.join(folder, claim), { force: true })
  }
}

/** Claims that dead processes left behind are on texts that the lock has no more: they entitle to nothing. */
const removeClaims = async (folder: string): Promise<void> => {
  const names = await fs.readdir(folder)
  const claims = names.filter((name) => name.startsWith(CLAIM_PREFIX))
  await Promise.all(claims.map((name) => fs.rm(nodePath.join(folder, name), { force: true })))
}

/** This very process, as others can recognise it. */
export const own = async (): Promise<Owner> => {
  const start_time = (await startTimeOf(process.pid)) ?? null
  return { pid: process.pid, start_time, ...(await here()) }
}

const ownText = async (): Promise<string> => `${JSON.stringify(await own())}\n`

/**
 * Makes this process the owner of a run's folder; gives the owner that keeps it from that instead when there is one. A dead
 * owner's lock, or an empty one, is replaced: by exactly one of those who try, also when some of them die meanwhile. Rejects with
 * the file system's error.
 */
export const acquire = async (
  folder: string,
  { force }: Options = { force: false },
): Promise<Either.Either<Held, Taken>> => {
  const acquired = await acquireFile(folder, FILE, { text: await ownText(), depth: 0, force })
  if (Either.isRight(acquired) && acquired.right.before !== undefined) await removeClaims(folder)
  return acquired
}

/** Gives the lock back, unless it is not ours any more. */
export const release = async (folder: string, held: Held): Promise<void> => {
  const path = nodePath.join(folder, FILE)
  if ((await PrivateFile.read(path, MAX_BYTES)) === held.text) await fs.rm(path, { force: true })
}
