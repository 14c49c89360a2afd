import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { DeadLetter, identity } from "../src/domain/DeadLetter.js"
import { syncFolder } from "./GroupSync.js"
import * as LogFile from "./LogFile.js"

/** The file beside a log that keeps what the server refused for good, a JSON object a line. */
export const FILE = "telemetry.dead-letters.ndjson"

const CHUNK_BYTES = 256 * 1024

const decode = Schema.decodeUnknownEither(Schema.parseJson(DeadLetter))

const isMissing = (cause: unknown): boolean => cause instanceof Error && "code" in cause && cause.code === "ENOENT"

const scan = (fd: number, take: (letter: DeadLetter) => void): void => {
  const { size } = fs.fstatSync(fd)
  for (let offset = 0; ; ) {
    const { lines, end } = LogFile.readLines(fd, offset, size, CHUNK_BYTES)
    for (const line of lines) {
      if (line !== undefined) Either.map(decode(line.toString("utf8")), take)
    }
    if (end === offset) return
    offset = end
  }
}

/** Every letter of a file, in order; a line that is none is left out. Nothing when there is no file. Throws when it cannot be read. */
export const forEach = (path: string, take: (letter: DeadLetter) => void): void => {
  let fd: number
  try {
    fd = LogFile.openForRead(path)
  } catch (cause) {
    if (isMissing(cause)) return
    throw cause
  }
  try {
    scan(fd, take)
  } finally {
    fs.closeSync(fd)
  }
}

/** The dead letters of one log. Both throw the file system's errors. */
export interface DeadLetters {
  readonly add: (letter: DeadLetter) => void
  readonly count: () => number
}

const endsInNewline = (fd: number): boolean => {
  const { size } = fs.fstatSync(fd)
  const last = Buffer.alloc(1)
  return size === 0 || (fs.readSync(fd, last, 0, 1, size - 1) === 1 && last[0] === 0x0a)
}

/** Written through to the disk before it returns: the cursor may pass the operation then. */
const appendDurably = (path: string, letter: DeadLetter): void => {
  const fd = LogFile.openForAppend(path)
  try {
    const bytes = Buffer.from(`${endsInNewline(fd) ? "" : "\n"}${JSON.stringify(letter)}\n`)
    LogFile.writeAll(fd, bytes, bytes.length)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  syncFolder(nodePath.dirname(path))
}

/** The letters in a file, read when they are first asked for. */
export const make = (path: string): DeadLetters => {
  let known: Set<string> | undefined

  const load = (): Set<string> => {
    if (known !== undefined) return known
    const found = new Set<string>()
    forEach(path, (letter) => found.add(identity(letter)))
    known = found
    return found
  }

  return {
    add: (letter) => {
      const letters = load()
      if (letters.has(identity(letter))) return
      appendDurably(path, letter)
      letters.add(identity(letter))
    },
    count: () => load().size,
  }
}
