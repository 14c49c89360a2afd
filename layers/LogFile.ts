import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Chain from "../src/domain/Chain.js"
import { GENESIS_HASH } from "../src/domain/Ids.js"

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
export interface Lines {
  readonly lines: ReadonlyArray<Buffer | undefined>
  /** The offset behind the last whole line. */
  readonly end: number
}

const split = (bytes: Buffer, offset: number): Lines => {
  const lines: Array<Buffer> = []
  let start = 0
  for (let stop = bytes.indexOf(NEWLINE); stop !== -1; stop = bytes.indexOf(NEWLINE, start)) {
    lines.push(bytes.subarray(start, stop))
    start = stop + 1
  }
  return { lines, end: offset + start }
}

const newlineFrom = (fd: number, from: number, to: number): number | undefined => {
  for (let offset = from; offset < to; offset += SCAN_BYTES) {
    const found = readAt(fd, offset, Math.min(SCAN_BYTES, to - offset)).indexOf(NEWLINE)
    if (found !== -1) return offset + found
  }
  return undefined
}

/** About `maxBytes` of whole lines between two offsets, at least one line when there is one; none when no newline is left. */
export const readLines = (fd: number, from: number, to: number, maxBytes: number): Lines => {
  let length = Math.min(Math.max(1, maxBytes), to - from)
  while (length > 0) {
    const found = split(readAt(fd, from, length), from)
    const [first] = found.lines
    if (first !== undefined) return length <= maxBytes ? found : { lines: [first], end: from + first.length + 1 }
    if (length >= to - from) break
    if (length >= MAX_LINE_BYTES) {
      const newline = newlineFrom(fd, from + length, to)
      return newline === undefined ? { lines: [], end: from } : { lines: [undefined], end: newline + 1 }
    }
    length = Math.min(length * 4, MAX_LINE_BYTES, to - from)
  }
  return { lines: [], end: from }
}

/** How many newlines stand before an offset. */
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

/** The hash that the line ending at an offset claims; `undefined` when no record of a chain ends there. */
export const hashEndingAt = (fd: number, end: number): string | undefined => {
  if (end === 0) return GENESIS_HASH
  if (readAt(fd, end - 1, 1)[0] !== NEWLINE) return undefined
  const start = lineStart(fd, end)
  if (end - start > MAX_LINE_BYTES) return undefined
  return Chain.claimedHash(readAt(fd, start, end - 1 - start).toString("utf8"))
}

const lineStart = (fd: number, end: number): number => {
  const newline = newlineBefore(fd, end - 1)
  return newline === undefined ? 0 : newline + 1
}

/** The last place in a file behind which a new record may stand: the end of its last line that is a record of a chain. */
export const soundEnd = (fd: number, size: number): { readonly offset: number; readonly hash: string } => {
  const newline = newlineBefore(fd, size)
  let offset = newline === undefined ? 0 : newline + 1
  let hash = hashEndingAt(fd, offset)
  while (hash === undefined) {
    offset = lineStart(fd, offset)
    hash = hashEndingAt(fd, offset)
  }
  return { offset, hash }
}

const createNumbered = (folder: string): { readonly fd: number; readonly path: string } => {
  for (let n = 1; ; n++) {
    const path = nodePath.join(folder, `events.torn-${n}`)
    try {
      return { fd: fs.openSync(path, "wx", 0o600), path }
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause
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
