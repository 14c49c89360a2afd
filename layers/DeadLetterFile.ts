import * as fs from "node:fs"
import * as promises from "node:fs/promises"
import * as nodePath from "node:path"
import { setImmediate } from "node:timers/promises"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { DeadLetter, identity } from "../src/domain/DeadLetter.js"
import * as FileProblem from "./FileProblem.js"
import * as LogFile from "./LogFile.js"

/** The file beside a log that keeps what the server refused for good, a JSON object a line. */
export const FILE = "telemetry.dead-letters.ndjson"

const CHUNK_BYTES = 256 * 1024
const NEWLINE = 0x0a

const APPEND =
  fs.constants.O_RDWR | fs.constants.O_APPEND | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK

const decode = Schema.decodeUnknownEither(Schema.parseJson(DeadLetter))

const hasCode = (cause: unknown, ...codes: ReadonlyArray<string>): boolean =>
  codes.some((code) => code === FileProblem.code(cause))

/** The letters of a file, a stretch of it at a time. */
function* scan(fd: number): Generator<ReadonlyArray<DeadLetter>> {
  const { size } = fs.fstatSync(fd)
  for (let offset = 0; ; ) {
    const { lines, end } = LogFile.readLines(fd, offset, size, CHUNK_BYTES)
    yield lines.flatMap((line) =>
      line === undefined
        ? []
        : Either.match(decode(line.toString("utf8")), { onLeft: () => [], onRight: (one) => [one] }),
    )
    if (end === offset) return
    offset = end
  }
}

function* stretches(path: string): Generator<ReadonlyArray<DeadLetter>> {
  let fd: number
  try {
    fd = LogFile.openForRead(path)
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return
    throw cause
  }
  try {
    yield* scan(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Every letter of a file, in order; a line that is none is left out. Nothing when there is no file. Throws when it cannot be read. */
export const forEach = (path: string, take: (letter: DeadLetter) => void): void => {
  for (const letters of stretches(path)) letters.forEach(take)
}

/** The dead letters of one log, for one writer. All throw or reject with the file system's errors. */
export interface DeadLetters {
  /**
   * Keeps letters, each once, written through to the disk when it resolves: the cursor may pass their operations then. Rejects
   * when that failed; none of them is kept for certain then, and none is kept twice when they are added again.
   */
  readonly add: (letters: ReadonlyArray<DeadLetter>) => Promise<void>
  /** How many there are, in one synchronous step. */
  readonly count: () => number
  /** The same without keeping the event loop from its work while a long file is read. */
  readonly counted: () => Promise<number>
}

const endsInNewline = async (file: promises.FileHandle, size: number): Promise<boolean> => {
  if (size === 0) return true
  const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return bytesRead === 1 && buffer[0] === NEWLINE
}

/** A piece at a time, with the event loop in between. */
const writeLines = async (file: promises.FileHandle, letters: ReadonlyArray<DeadLetter>): Promise<void> => {
  let piece = ""
  for (const letter of letters) {
    piece += `${JSON.stringify(letter)}\n`
    if (piece.length < CHUNK_BYTES) continue
    await file.appendFile(piece)
    piece = ""
  }
  await file.appendFile(piece)
}

const appendDurably = async (path: string, letters: ReadonlyArray<DeadLetter>): Promise<void> => {
  const file = await promises.open(path, APPEND, 0o600)
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error("it is not a regular file; move it away")
    try {
      if (!(await endsInNewline(file, stat.size))) await file.appendFile("\n")
      await writeLines(file, letters)
      await file.sync()
    } catch (cause) {
      await file.truncate(stat.size).catch(() => undefined)
      throw cause
    }
  } finally {
    await file.close()
  }
}

/** Makes the file's name durable; file systems that cannot flush a folder are left in peace. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await promises.open(path, fs.constants.O_RDONLY)
  try {
    await folder.sync()
  } catch (cause) {
    if (!hasCode(cause, "EINVAL", "EISDIR")) throw cause
  } finally {
    await folder.close()
  }
}

/** The letters in a file, read when they are first asked for. */
export const make = (path: string): DeadLetters => {
  let known: Set<string> | undefined
  let isDurable = false
  let turn: Promise<unknown> = Promise.resolve()

  const load = async (): Promise<Set<string>> => {
    if (known !== undefined) return known
    const found = new Set<string>()
    for (const letters of stretches(path)) {
      for (const letter of letters) found.add(identity(letter))
      await setImmediate()
    }
    known = found
    return found
  }

  const addNow = async (letters: ReadonlyArray<DeadLetter>): Promise<void> => {
    const before = await load()
    const fresh = new Map<string, DeadLetter>()
    for (const letter of letters) if (!before.has(identity(letter))) fresh.set(identity(letter), letter)
    // What stood there before may be the work of a process that died before it was safe.
    if (fresh.size === 0 && (isDurable || before.size === 0)) return
    try {
      await appendDurably(path, [...fresh.values()])
      if (!isDurable) await syncFolder(nodePath.dirname(path))
      isDurable = true
    } catch (cause) {
      known = undefined
      isDurable = false
      throw cause
    }
    for (const key of fresh.keys()) before.add(key)
  }

  const inTurn = <A>(work: () => Promise<A>): Promise<A> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  return {
    add: (letters) => inTurn(() => addNow(letters)),
    count: () => {
      if (known !== undefined) return known.size
      const found = new Set<string>()
      forEach(path, (letter) => found.add(identity(letter)))
      return found.size
    },
    counted: () => (known !== undefined ? Promise.resolve(known.size) : inTurn(async () => (await load()).size)),
  }
}
