import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { ExportFormat } from "../domain/ExportFormat.js"

const NEWLINE = 0x0a
const QUOTE = 0x22

/** How many rows went into a file; unknown of a form whose bytes do not tell. */
export interface RowsWritten {
  readonly rows: () => number | undefined
  /** The bytes as they are, counted while they pass. */
  readonly counted: <E>(bytes: Stream.Stream<Uint8Array, E>) => Stream.Stream<Uint8Array, E>
}

/** Line ends outside of quotes: what ends a row, or the heading of a CSV file. */
const lineCounter = (hasQuotes: boolean) => {
  let lines = 0
  let isQuoted = false
  const count = (bytes: Uint8Array): void => {
    for (const byte of bytes) {
      if (hasQuotes && byte === QUOTE) isQuoted = !isQuoted
      else if (byte === NEWLINE && !isQuoted) lines += 1
    }
  }
  return { count, lines: () => lines }
}

/** Counts the rows of an export from its bytes. */
export const of = (format: ExportFormat): RowsWritten => {
  if (format === "parquet") return { rows: () => undefined, counted: (bytes) => bytes }
  const isCsv = format === "csv"
  const { count, lines } = lineCounter(isCsv)
  return {
    rows: () => Math.max(0, lines() - (isCsv ? 1 : 0)),
    counted: (bytes) => Stream.tap(bytes, (some) => Effect.sync(() => count(some))),
  }
}
