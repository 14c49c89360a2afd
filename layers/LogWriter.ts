import * as fs from "node:fs"
import type { LogPosition } from "../services/EventLog.js"
import * as CanonicalJson from "../src/domain/CanonicalJson.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent, Event } from "../src/domain/Event.js"
import { GENESIS_HASH } from "../src/domain/Ids.js"
import * as LogFile from "./LogFile.js"

const SCRATCH_BYTES = 64 * 1024
const TEXT_START = Chain.SEAL_LENGTH - 1
const HASH_START = Chain.sealOf("").indexOf('""') + 1
const COMMA = 0x2c
/** Lines up to here are hashed where they stand, through a view that is kept for the next line of that length. */
const VIEWED_BYTES = 4096
const NEWLINE = 0x0a

interface Written {
  readonly hash: string
  readonly length: number
}

/** Appends through one descriptor. Every method is one synchronous step, so that appends have a total order, and may throw. */
export interface LogWriter {
  /** Where the log ends. What a failed append may have left behind stands after it, until it is cut off. */
  readonly head: () => LogPosition
  /** Writes one line. When it throws, the log is cut back to its last whole line, now or before the next append. */
  readonly append: (event: Event) => ChainedEvent
  /** The same for who does not ask what became of the event. */
  readonly add: (event: Event) => void
  /** The open descriptor, for reading. Throws once closed: the number may by then be another file's. */
  readonly descriptor: () => number
  /** Ends appending and reading; the descriptor itself stays with the one who opened it. */
  readonly close: () => void
}

/** A writer behind the given place, which must be the end of the file. */
export const make = (fd: number, end: LogPosition): LogWriter => {
  const scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
  scratch.write(Chain.sealOf(GENESIS_HASH), 0, "latin1")
  const views: Array<Uint8Array | undefined> = []
  let head = end
  let torn = false
  let closed = false

  const descriptor = (): number => {
    if (closed) throw new Error("the log is closed")
    return fd
  }

  const cutBack = (): void => {
    fs.ftruncateSync(fd, head.offset)
    torn = false
  }

  const write = (bytes: Uint8Array, length: number): void => {
    if (torn) cutBack()
    try {
      LogFile.writeAll(fd, bytes, length)
    } catch (cause) {
      torn = true
      try {
        cutBack()
      } catch {
        // The write's own failure is the one to report; the next append tries the cut again.
      }
      throw cause
    }
  }

  /** A large line in a buffer of its own. */
  const writeLarge = (text: string, hash: string): number => {
    const bytes = Buffer.from(`${Chain.sealed(text, hash)}\n`, "utf8")
    if (bytes.length > LogFile.MAX_LINE_BYTES) {
      throw new Error(
        `the event has ${bytes.length} bytes, a line may have ${LogFile.MAX_LINE_BYTES}; record less of it`,
      )
    }
    write(bytes, bytes.length)
    return bytes.length
  }

  const viewOf = (bytes: number): Uint8Array => {
    const known = views[bytes]
    if (known !== undefined) return known
    const view = scratch.subarray(TEXT_START, TEXT_START + bytes)
    if (bytes <= VIEWED_BYTES) views[bytes] = view
    return view
  }

  /** The record is written where its brace gives way to the seal's last byte: one encoding serves the hash and the line. */
  const writeLine = (text: string): Written => {
    if (text.length * 3 + Chain.SEAL_LENGTH + 1 > SCRATCH_BYTES) {
      const hash = CanonicalJson.sha256Hex(text)
      return { hash, length: writeLarge(text, hash) }
    }
    const bytes = scratch.write(text, TEXT_START, "utf8")
    const end = TEXT_START + bytes
    const hash = CanonicalJson.sha256Hex(viewOf(bytes))
    scratch.write(hash, HASH_START, "latin1")
    scratch[TEXT_START] = COMMA
    scratch[end] = NEWLINE
    write(scratch, end + 1)
    return { hash, length: end + 1 }
  }

  const add = (event: Event): Event => {
    descriptor()
    const draft = Chain.draft(head, event)
    const { hash, length } = writeLine(draft.text)
    head = { offset: head.offset + length, lines: head.lines + 1, hash }
    return draft.event
  }

  return {
    head: () => head,
    append: (event) => {
      const before = head.hash
      const complete = add(event)
      return Chain.chained(complete, before, head.hash)
    },
    add,
    descriptor,
    close: () => {
      closed = true
    },
  }
}
