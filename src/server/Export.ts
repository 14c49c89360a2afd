import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { CSV_HEADER, csvLine, type ExportFormat, ndjsonLine } from "../domain/ExportFormat.js"
import type { RunRecord } from "../domain/Run.js"

const encoder = new TextEncoder()

const lines = <E>(runs: Stream.Stream<RunRecord, E>, line: (run: RunRecord) => string): Stream.Stream<Uint8Array, E> =>
  runs.pipe(
    Stream.chunks,
    Stream.filter(Chunk.isNonEmpty),
    Stream.map((some) => encoder.encode(Chunk.toReadonlyArray(some).map(line).join(""))),
  )

const parquet = <E>(runs: Stream.Stream<RunRecord, E>): Stream.Stream<Uint8Array, E> =>
  Stream.unwrap(
    Effect.map(
      Effect.promise(() => import("./ExportParquet.js")),
      (writer) => writer.encode(runs),
    ),
  )

/** Runs as the bytes of a file, in their order, never held as a whole. The text forms are in UTF-8 without a mark. */
export const encode = <E>(format: ExportFormat, runs: Stream.Stream<RunRecord, E>): Stream.Stream<Uint8Array, E> => {
  switch (format) {
    case "ndjson":
      return lines(runs, ndjsonLine)
    case "csv":
      return Stream.concat(Stream.make(encoder.encode(CSV_HEADER)), lines(runs, csvLine))
    case "parquet":
      return parquet(runs)
  }
}
