import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Chain from "../src/domain/Chain.js"
import { GENESIS_HASH } from "../src/domain/Ids.js"
import * as FileProblem from "./FileProblem.js"

const NEWLINE = 0x0a
const SCAN_BYTES = 1024 * 1024
const BACKWARD_BYTES = 64 * 1024

/** Longest line, in bytes: what is longer is refused when written and skipped when read. */
export const MAX_LINE_BYTES = 64 * 1024 * 1024

const WRITE =
  fs.constants.O_RDWR | fs.constants.O_APPEND | fs.constants.O_CREAT | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK
const READ = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK

const opened = (path: string, flags: number): number => {
  const fd = fs.openSync(path, flags, 0o600)
  if (fs.fstatSync(fd).isFile()) return fd
  fs.closeSync(fd)
  throw new Error("it is not a regular file; move it away")
}

/** A descriptor for appending and reading; the file is made with mode 0600 when absent. No link is followed. Throws. */
export const openForAppend = (path: string): number => opened(path, WRITE)

/** A descriptor for reading. No link is followed. Throws. */
export const openForRead = (path: string): number => opened(path, READ)

/** Writes all bytes at the end, however many steps it takes. Throws; a part may have been written then. */
export const writeAll = (fd: number, bytes: Uint8Array, length: number): void => {
  let written = 0
  while (written < length) {
    const step = fs.writeSync(fd, bytes, written, length - written)
    if (step === 0) throw new Error("the operating system took no more bytes")
    written += step
  }
}

const readAt = (fd: number, offset: number, length: number): Buffer => {
  const bytes = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const step = fs.readSync(fd, bytes, filled, length - filled, offset + filled)
    if (step === 0) break
    filled += step
  }
  return bytes.subarray(0, filled)
}

/** Whole lines from an offset on. A line is `undefined` when it is longer than {@link MAX_LINE_BYTES}. */
export interface Lines<A = Buffer> {
  readonly lines: ReadonlyArray<A | undefined>
  /** The offset behind the last whole line. */
  readonly end: number
}

/** What is made of the line that stands between two offsets of a block. */
export type Taking<A> = (block: Buffer) => (start: number, stop: number) => A

const asBytes: Taking<Buffer> = (block) => (start, stop) => block.subarray(start, stop)

const split = <A>(bytes: Buffer, offset: number, taking: Taking<A>) => {
  const take = taking(bytes)
  const lines: Array<A> = []
  let first = 0
  let start = 0
  for (let stop = bytes.indexOf(NEWLINE); stop !== -1; stop = bytes.indexOf(NEWLINE, start)) {
    if (start === 0) first = stop + 1
    lines.push(take(start, stop))
    start = stop + 1
  }
  return { lines, end: offset + start, firstEnd: offset + first }
}

const newlineFrom = (fd: number, from: number, to: number): number | undefined => {
  for (let offset = from; offset < to; offset += SCAN_BYTES) {
    const found = readAt(fd, offset, Math.min(SCAN_BYTES, to - offset)).indexOf(NEWLINE)
    if (found !== -1) return offset + found
  }
  return undefined
}

/**
 * About `maxBytes` of whole lines between two offsets, at least one line when there is one; none when no newline is left. What
 * is made of each line is up to the reader, who is shown each block first.
 */
export const readLinesAs = <A>(fd: number, from: number, to: number, maxBytes: number, taking: Taking<A>): Lines<A> => {
  let length = Math.min(Math.max(1, maxBytes), to - from)
  while (length > 0) {
    const found = split(readAt(fd, from, length), from, taking)
    const [first] = found.lines
    if (first !== undefined) return length <= maxBytes ? found : { lines: [first], end: found.firstEnd }
    if (length >= to - from) break
    if (length >= MAX_LINE_BYTES) {
      const newline = newlineFrom(fd, from + length, to)
      return newline === undefined ? { lines: [], end: from } : { lines: [undefined], end: newline + 1 }
    }
    length = Math.min(length * 4, MAX_LINE_BYTES, to - from)
  }
  return { lines: [], end: from }
}

/** {@link readLinesAs} bytes. */
export const readLines = (fd: number, from: number, to: number, maxBytes: number): Lines =>
  readLinesAs(fd, from, to, maxBytes, asBytes)

/** How many newlines stand before an offset. Reads all of it in one go: some 300 ms for a quarter of a gigabyte. */
export const countLines = (fd: number, to: number): number => {
  const bytes = Buffer.allocUnsafe(Math.max(1, Math.min(SCAN_BYTES, to)))
  let lines = 0
  for (let offset = 0; offset < to; ) {
    const step = fs.readSync(fd, bytes, 0, Math.min(bytes.length, to - offset), offset)
    if (step === 0) break
    for (let at = bytes.indexOf(NEWLINE); at !== -1 && at < step; at = bytes.indexOf(NEWLINE, at + 1)) lines++
    offset += step
  }
  return lines
}

const newlineBefore = (fd: number, end: number): number | undefined => {
  for (let stop = end; stop > 0; stop -= BACKWARD_BYTES) {
    const start = Math.max(0, stop - BACKWARD_BYTES)
    const found = readAt(fd, start, stop - start).lastIndexOf(NEWLINE)
    if (found !== -1) return start + found
  }
  return undefined
}

/** Where the lines that end at or before an offset begin, the last one first. Every block of the file is read once. */
function* lineStarts(fd: number, end: number): Generator<number> {
  for (let stop = end - 1; stop > 0; stop -= BACKWARD_BYTES) {
    const from = Math.max(0, stop - BACKWARD_BYTES)
    const bytes = readAt(fd, from, stop - from)
    let at = bytes.lastIndexOf(NEWLINE)
    while (at !== -1) {
      yield from + at + 1
      at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)
    }
  }
  yield 0
}

/** No line that is shorter than a seal, or longer than a line may be, is worth reading. */
const hashOf = (fd: number, start: number, end: number): string | undefined => {
  const length = end - 1 - start
  if (length < Chain.SEAL_LENGTH || length >= MAX_LINE_BYTES) return undefined
  return Chain.claimedHash(readAt(fd, start, length).toString("utf8"))
}

interface Sound {
  readonly offset: number
  readonly hash: string
}

const lastSound = (fd: number, lineEnd: number): Sound => {
  let offset = lineEnd
  for (const start of lineStarts(fd, lineEnd)) {
    const hash = hashOf(fd, start, offset)
    if (hash !== undefined) return { offset, hash }
    offset = start
  }
  return { offset: 0, hash: GENESIS_HASH }
}

/**
 * The hash that the last line before an offset claims; lines that claim none, being damaged, are passed over. `undefined` when
 * no line ends there.
 */
export const hashEndingAt = (fd: number, end: number): string | undefined => {
  if (end === 0) return GENESIS_HASH
  return readAt(fd, end - 1, 1)[0] === NEWLINE ? lastSound(fd, end).hash : undefined
}

/** The last place in a file behind which a new record may stand: the end of its last line that is a record of a chain. */
export const soundEnd = (fd: number, size: number): Sound => {
  const newline = newlineBefore(fd, size)
  return newline === undefined ? lastSound(fd, 0) : lastSound(fd, newline + 1)
}

const LINE_START = Buffer.from(Chain.sealOf("").slice(0, -2))

const isBlank = (fd: number, size: number): boolean => {
  for (let from = 0; from < size; from += SCAN_BYTES) {
    if (readAt(fd, from, Math.min(SCAN_BYTES, size - from)).some((byte) => byte !== 0)) return false
  }
  return true
}

/**
 * Whether a file holds nothing but the beginning of a first line, as a writer leaves it that is killed at its work, or nothing but
 * zeros, as a power cut leaves a file that had its size already and not its bytes.
 */
export const isTornFirst = (fd: number, size: number): boolean => {
  const known = readAt(fd, 0, Math.min(size, LINE_START.length))
  if (!known.equals(LINE_START.subarray(0, known.length))) return isBlank(fd, size)
  return newlineFrom(fd, 0, size) === undefined
}

const createNumbered = (folder: string): { readonly fd: number; readonly path: string } => {
  for (let n = 1; ; n++) {
    const path = nodePath.join(folder, `events.torn-${n}`)
    try {
      return { fd: fs.openSync(path, "wx", 0o600), path }
    } catch (cause) {
      if (FileProblem.code(cause) !== "EEXIST") throw cause
    }
  }
}

/** Copies what stands behind an offset to `events.torn-<n>` beside the log, durably, and cuts it off. Throws. */
export const setAside = (fd: number, path: string, offset: number, size: number): string => {
  const copy = createNumbered(nodePath.dirname(path))
  try {
    for (let from = offset; from < size; from += SCAN_BYTES) {
      const bytes = readAt(fd, from, Math.min(SCAN_BYTES, size - from))
      writeAll(copy.fd, bytes, bytes.length)
    }
    fs.fsyncSync(copy.fd)
  } finally {
    fs.closeSync(copy.fd)
  }
  fs.ftruncateSync(fd, offset)
  return copy.path
}
