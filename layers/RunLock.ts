import { execFile } from "node:child_process"
import * as fs from "node:fs/promises"
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

/**
 * A process: its id, when it started as the operating system tells it, and in which boot of the machine that was; null where
 * that cannot be told.
 */
export const Owner = Schema.Struct({
  pid: Schema.Int.pipe(Schema.positive()),
  start_time: Schema.NullOr(Schema.String),
  boot_id: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
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

const exists = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return FileProblem.code(cause) !== "ESRCH"
  }
}

/** What cannot be read of a process that is there counts as unknown: only a process that is known to be gone is dead. */
const unknownOrGone = (pid: number): null | undefined => (exists(pid) ? null : undefined)

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
  if (!exists(pid)) return undefined
  if (process.platform === "linux") return fromProc(pid)
  return process.platform === "win32" ? null : fromPs(pid)
}

let bootId: Promise<string | null> | undefined

/** Which boot of this machine it is; null where that cannot be told. It does not change while a process runs. */
const currentBootId = (): Promise<string | null> => {
  bootId ??=
    process.platform === "linux"
      ? fs.readFile("/proc/sys/kernel/random/boot_id", "utf8").then(
          (text) => text.trim(),
          () => null,
        )
      : Promise.resolve(null)
  return bootId
}

const isOfEarlierBoot = async ({ boot_id }: Owner): Promise<boolean> => {
  const current = await currentBootId()
  return boot_id !== null && current !== null && boot_id !== current
}

/** Whether that very process still runs; another one that got its id since, or its id and start time after a reboot, does not count. */
export const isAlive = async (owner: Owner): Promise<boolean> => {
  if (await isOfEarlierBoot(owner)) return false
  const startTime = await startTimeOf(owner.pid)
  if (startTime === undefined) return false
  return startTime === null || owner.start_time === null || startTime === owner.start_time
}

const parse = (text: string): Owner | undefined => Either.getOrUndefined(decode(text))

/** How a run's folder stands: nobody's, a live process's, or left behind by a dead one (or with a lock that says nothing). */
export type Standing =
  | { readonly _tag: "Free" }
  | { readonly _tag: "Owned"; readonly owner: Owner }
  | { readonly _tag: "Dead"; readonly owner: Owner | undefined }

const standingOf = async (text: string | undefined): Promise<Standing> => {
  if (text === undefined) return { _tag: "Free" }
  const owner = parse(text)
  return owner !== undefined && (await isAlive(owner)) ? { _tag: "Owned", owner } : { _tag: "Dead", owner }
}

/** Whose a run's folder is, without changing anything. Rejects when the lock cannot be read. */
export const standing = async (folder: string): Promise<Standing> =>
  standingOf(await PrivateFile.read(nodePath.join(folder, FILE), MAX_BYTES))

/** The live process that a run's folder belongs to; `undefined` when there is none. Rejects when the lock cannot be read. */
export const liveOwner = async (folder: string): Promise<Owner | undefined> => {
  const found = await standing(folder)
  return found._tag === "Owned" ? found.owner : undefined
}

/** A held lock: its text, by which it is known again, and whose it was before when that one died. */
export interface Held {
  readonly text: string
  readonly before: Extract<Standing, { readonly _tag: "Dead" }> | undefined
}

/** The name of the claim that entitles to replace what a dead process left in a file. */
export const claimOn = (name: string, dead: string): string =>
  `${CLAIM_PREFIX}${sha256Hex(`${name}\n${dead}`).slice(0, 24)}`

const acquireFile = async (
  folder: string,
  name: string,
  text: string,
  depth: number,
): Promise<Either.Either<Held, Owner>> => {
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
    if (before._tag === "Owned") return Either.left(before.owner)
    if (found === undefined || before._tag === "Free") continue
    const taken = await takeOver(folder, name, { dead: found, text, depth })
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
  { dead, text, depth }: { readonly dead: string; readonly text: string; readonly depth: number },
): Promise<Either.Either<boolean, Owner>> => {
  const path = nodePath.join(folder, name)
  const claim = claimOn(name, dead)
  const claimed = await acquireFile(folder, claim, text, depth + 1)
  if (Either.isLeft(claimed)) return Either.left(claimed.left)
  try {
    if ((await PrivateFile.read(path, MAX_BYTES)) !== dead) return Either.right(false)
    await PrivateFile.replace(path, text, "process")
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

const ownText = async (): Promise<string> => {
  const start_time = (await startTimeOf(process.pid)) ?? null
  return `${JSON.stringify({ pid: process.pid, start_time, boot_id: await currentBootId() })}\n`
}

/**
 * Makes this process the owner of a run's folder; gives the live owner instead when there is one. A dead owner's lock, or one
 * that cannot be understood, is replaced: by exactly one of those who try, also when some of them die meanwhile. Rejects with the
 * file system's error.
 */
export const acquire = async (folder: string): Promise<Either.Either<Held, Owner>> => {
  const acquired = await acquireFile(folder, FILE, await ownText(), 0)
  if (Either.isRight(acquired) && acquired.right.before !== undefined) await removeClaims(folder)
  return acquired
}

/** Gives the lock back, unless it is not ours any more. */
export const release = async (folder: string, held: Held): Promise<void> => {
  const path = nodePath.join(folder, FILE)
  if ((await PrivateFile.read(path, MAX_BYTES)) === held.text) await fs.rm(path, { force: true })
}
