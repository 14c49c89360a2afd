import * as fs from "node:fs"
import type { LogPosition } from "../services/EventLog.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent, Event } from "../src/domain/Event.js"
import * as LogFile from "./LogFile.js"

const SCRATCH_BYTES = 64 * 1024

/** Appends through one descriptor. Every method is one synchronous step, so that appends have a total order, and may throw. */
export interface LogWriter {
  /** Where the log ends. What a failed append may have left behind stands after it, until it is cut off. */
  readonly head: () => LogPosition
  /** Writes one line. When it throws, the log is cut back to its last whole line, now or before the next append. */
  readonly append: (event: Event) => ChainedEvent
  /** The open descriptor, for reading. Throws once closed: the number may by then be another file's. */
  readonly descriptor: () => number
  /** Ends appending and reading; the descriptor itself stays with the one who opened it. */
  readonly close: () => void
}

/** A writer behind the given place, which must be the end of the file. */
export const make = (fd: number, end: LogPosition): LogWriter => {
  const scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
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

  const writeLine = (line: string): number => {
    if (line.length * 3 <= SCRATCH_BYTES) {
      const length = scratch.write(line)
      write(scratch, length)
      return length
    }
    const bytes = Buffer.from(line, "utf8")
    if (bytes.length > LogFile.MAX_LINE_BYTES) {
      throw new Error(
        `the event has ${bytes.length} bytes, a line may have ${LogFile.MAX_LINE_BYTES}; record less of it`,
      )
    }
    write(bytes, bytes.length)
    return bytes.length
  }

  return {
    head: () => head,
    append: (event) => {
      descriptor()
      const link = Chain.link(head, event)
      const length = writeLine(link.line)
      head = { offset: head.offset + length, lines: link.head.lines, hash: link.head.hash }
      return link.event
    },
    descriptor,
    close: () => {
      closed = true
    },
  }
}
