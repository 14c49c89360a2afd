import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { parquetReadObjects } from "hyparquet"
import * as Age from "../../src/domain/Age.js"
import * as ByteSize from "../../src/domain/ByteSize.js"
import { COLUMNS, type ExportFormat } from "../../src/domain/ExportFormat.js"
import type { RunRecord } from "../../src/domain/Run.js"
import * as Export from "../../src/server/Export.js"
import { run } from "../support/RunStores.js"

const record = (id: number, fields: Partial<RunRecord> = {}): RunRecord => ({
  ...run({ event_id: `e${id}`, metrics_json: { cost: 1 } }),
  id,
  schema_version: 1,
  created_at: "2026-01-01T00:00:00.000Z",
  updated_at: null,
  commit_url: null,
  repo_url: null,
  ...fields,
})

const bytesOf = (format: ExportFormat, runs: ReadonlyArray<RunRecord>) =>
  Effect.map(Stream.runCollect(Export.encode(format, Stream.fromIterable(runs))), (parts) =>
    Buffer.concat(Chunk.toReadonlyArray(parts)),
  )

describe("an export", () => {
  it.effect("in CSV quotes what must be, tells null from the empty text, and ends its lines as RFC 4180 says", () =>
    Effect.gen(function* () {
      const text = (yield* bytesOf("csv", [record(1, { agent_name: 'a,"b"\n', product: "" })])).toString("utf8")
      const [header = "", ...rest] = text.split("\r\n")
      expect(header.split(",")).toEqual([...COLUMNS])
      expect(rest.join("\r\n")).toContain('"a,""b""\n"')
      expect(rest.join("\r\n")).toContain('"{""cost"":1}"')
      expect(text).toContain(',0,"",,')
      expect(text.endsWith("\r\n")).toBe(true)
      expect((yield* bytesOf("csv", [])).toString("utf8")).toBe(`${COLUMNS.join(",")}\r\n`)
    }),
  )

  it.effect(
    "in Parquet gives every row back once and in order, over several groups, large numbers and nulls kept",
    () =>
      Effect.gen(function* () {
        const large = "é".repeat(20_000)
        const runs = Array.from({ length: 1200 }, (_, n) =>
          record(n, { duration_ms: 2 ** 53 - 1 - n, error_details: n % 2 ? large : null }),
        )
        const file = yield* bytesOf("parquet", runs)
        const buffer = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength)
        const rows = yield* Effect.promise(() =>
          parquetReadObjects({ file: { byteLength: buffer.byteLength, slice: (from, to) => buffer.slice(from, to) } }),
        )
        expect(rows.map((row) => row["event_id"])).toEqual(runs.map((one) => one.event_id))
        expect(rows[1]).toMatchObject({
          error_details: large,
          duration_ms: BigInt(2 ** 53 - 2),
          metrics_json: '{"cost":1}',
          product: null,
        })
        expect(rows[1]?.["created_at"]).toEqual(new Date("2026-01-01T00:00:00Z"))
        const none = yield* bytesOf("parquet", [])
        expect(none.subarray(-4).toString()).toBe("PAR1")
      }),
  )

  it.effect("in NDJSON is a line a run", () =>
    Effect.map(bytesOf("ndjson", [record(1), record(2)]), (bytes) =>
      expect(
        bytes
          .toString("utf8")
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line).id),
      ).toEqual([1, 2]),
    ),
  )
})

describe("sizes and ages as people write them", () => {
  it("mean what they say, and nothing else is taken", () => {
    const sizes = ["500MB", "2 GiB", "64k", "1048576", "0", "MB", "5 bits", "1e9"].map((text) =>
      Option.getOrNull(ByteSize.parse(text)),
    )
    expect(sizes).toEqual([500_000_000, 2 * 1024 ** 3, 65_536, 1_048_576, null, null, null, null])
    const ages = ["30d", "12 hours", "2w", "90 min", "30", "d"].map((text) => Option.getOrNull(Age.parse(text)))
    expect(ages).toEqual([30 * 86_400_000, 43_200_000, 14 * 86_400_000, 5_400_000, null, null])
  })
})
