import * as Either from "effect/Either"
import type { LogLine, LogPosition, LogSlice } from "../services/EventLog.js"
import * as CallLine from "../src/domain/CallLine.js"
import * as Chain from "../src/domain/Chain.js"
import type { ChainedEvent } from "../src/domain/Event.js"
import * as Lines from "./LogLine.js"

const MAX_BYTES = 512 * 1024

interface Entry {
  readonly offset: number
  readonly length: number
  readonly hash: string
  /** The event itself where nobody can have changed it since; others are read from their text again. */
  readonly event: ChainedEvent | undefined
  /** The record without `event_hash`. */
  readonly text: string
}

/** The last half mebibyte that this process appended to its log, so that delivery need not read back what was just written. */
export interface LogWindow {
  readonly add: (offset: number, length: number, event: ChainedEvent, text: string) => void
  /** About `maxBytes` of whole lines from a place on, at least one; `undefined` when the place is not in the window. */
  readonly read: (from: LogPosition, maxBytes: number) => LogSlice | undefined
}

/** The events of calls are made by the recorder alone; those of a run may hold what a program still changes. */
const isOwn = ({ type }: ChainedEvent): boolean => type.startsWith("LLM_CALL_")

const lineOf = ({ event, hash, text }: Entry): LogLine | undefined => {
  const sealed = Chain.sealed(text, hash)
  const call = event === undefined ? undefined : CallLine.read(sealed)
  if (call !== undefined) return { text: sealed, call }
  return event === undefined ? Either.getOrUndefined(Lines.read(sealed)) : { text: sealed, event }
}

export const make = (maxBytes = MAX_BYTES): LogWindow => {
  let entries: Array<Entry | undefined> = []
  let first = 0
  let bytes = 0

  const trim = (): void => {
    while (bytes > maxBytes && first < entries.length) {
      bytes -= entries[first]?.length ?? 0
      entries[first] = undefined
      first += 1
    }
    if (first > 1024 && first > entries.length / 2) {
      entries = entries.slice(first)
      first = 0
    }
  }

  const indexOf = (offset: number): number => {
    let low = first
    let high = entries.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const at = entries[middle]?.offset ?? 0
      if (at === offset) return middle
      if (at < offset) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  const read = (from: LogPosition, most: number): LogSlice | undefined => {
    const start = indexOf(from.offset)
    if (start === -1) return undefined
    const lines: Array<LogLine> = []
    let { offset, hash } = from
    for (let index = start; index < entries.length; index++) {
      const entry = entries[index]
      if (entry === undefined || (index > start && offset + entry.length - from.offset > most)) break
      const line = lineOf(entry)
      if (line === undefined) return undefined
      lines.push(line)
      hash = entry.hash
      offset += entry.length
    }
    return Lines.slice(lines, [], { offset, lines: from.lines + lines.length, hash })
  }

  return {
    add: (offset, length, event, text) => {
      entries.push({ offset, length, hash: event.event_hash, event: isOwn(event) ? event : undefined, text })
      bytes += length
      trim()
    },
    read,
  }
}
