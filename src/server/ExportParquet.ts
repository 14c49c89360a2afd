import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import { ByteWriter, ParquetWriter, type SchemaElement } from "hyparquet-writer"
import { type Cell, COLUMNS, cellsOf, type Kind, kindOf } from "../domain/ExportFormat.js"
import type { RunRecord } from "../domain/Run.js"
import { VERSION } from "../domain/Version.js"

/** A group of rows is written when it has so much text, or so many rows: that is what is in memory at a time. */
const GROUP_CHARACTERS = 8 * 1024 * 1024
const GROUP_ROWS = 5000
const ROW_CHARACTERS = Math.ceil(GROUP_CHARACTERS / GROUP_ROWS)

type Row = ReadonlyArray<Cell>

const TYPES: Readonly<Record<Kind, Omit<SchemaElement, "name">>> = {
  text: { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } },
  whole: { type: "INT64" },
  boolean: { type: "BOOLEAN" },
  instant: { type: "INT64", converted_type: "TIMESTAMP_MILLIS" },
}

const SCHEMA: Array<SchemaElement> = [
  { name: "runs", num_children: COLUMNS.length },
  ...COLUMNS.map((name): SchemaElement => ({ name, repetition_type: "OPTIONAL", ...TYPES[kindOf(name)] })),
]

const valueOf = (kind: Kind, cell: Cell): string | bigint | boolean | Date | null => {
  if (cell === null) return null
  if (kind === "whole" && typeof cell === "number") return BigInt(cell)
  if (kind === "instant" && typeof cell === "string") return new Date(cell)
  return typeof cell === "number" ? String(cell) : cell
}

/** A timestamp that was stored is valid; its text, and all others, are what memory is spent on. */
const weightOf = (row: Row): number =>
  row.reduce<number>((sum, cell) => sum + (typeof cell === "string" ? cell.length : 8), ROW_CHARACTERS)

const make = () => {
  const bytes = new ByteWriter()
  const writer = new ParquetWriter({ writer: bytes, schema: SCHEMA, createdBy: `runledger ${VERSION}` })

  /** What was written since it was last asked. */
  const taken = (): Uint8Array => {
    const some = new Uint8Array(bytes.getBuffer())
    bytes.index = 0
    return some
  }

  const group = (rows: ReadonlyArray<Row>): Uint8Array => {
    const columnData = COLUMNS.map((name, place) => ({
      name,
      data: rows.map((row) => valueOf(kindOf(name), row[place] ?? null)),
      offsetIndex: false,
    }))
    void writer.write({ columnData, rowGroupSize: rows.length })
    return taken()
  }

  const end = (): Uint8Array => {
    void writer.finish()
    return taken()
  }

  return { group, end }
}

/** Runs as a Parquet file of groups of at most some thousand rows, compressed with Snappy. */
export const encode = <E>(runs: Stream.Stream<RunRecord, E>): Stream.Stream<Uint8Array, E> =>
  Stream.unwrap(
    Effect.sync(() => {
      const file = make()
      return runs.pipe(
        Stream.map(cellsOf),
        Stream.transduce(
          Sink.foldWeighted({
            initial: Chunk.empty<Row>(),
            maxCost: GROUP_CHARACTERS,
            cost: (_, row) => weightOf(row),
            body: (rows, row) => Chunk.append(rows, row),
          }),
        ),
        Stream.filter(Chunk.isNonEmpty),
        Stream.map((rows) => file.group(Chunk.toReadonlyArray(rows))),
        Stream.concat(Stream.sync(file.end)),
      )
    }),
  )
