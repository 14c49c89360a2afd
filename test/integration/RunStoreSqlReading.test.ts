import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Stream from "effect/Stream"
import * as Counts from "../../layers/RunStoreSqlCounts.js"
import * as Database from "../../layers/RunStoreSqlDatabase.js"
import * as Queries from "../../layers/RunStoreSqlQueries.js"
import { RUN_SELECTION, type RunRow, toRecord } from "../../layers/RunStoreSqlRows.js"
import { TEXT_SELECTION, toText } from "../../layers/RunStoreSqlRowText.js"
import type { RunStoreService } from "../../services/RunStore.js"
import type { RunFilter } from "../../src/domain/Run.js"
import { matches } from "../../src/domain/RunMatch.js"
import { GroupBy } from "../../src/domain/Stats.js"
import { plainStats } from "../support/PlainStats.js"
import { Filter, Kept, Row, Sparse } from "../support/ReadRows.js"
import { run } from "../support/RunStores.js"
import { inFile } from "../support/StoreFile.js"

const filters = FastCheck.sample(FastCheck.oneof(Sparse, Kept, Filter), { numRuns: 120, seed: 7 })
const rows = FastCheck.sample(Row, { numRuns: 700, seed: 3 })

const filled = <A, E>(use: (store: RunStoreService, db: Database.Database, path: string) => Effect.Effect<A, E>) =>
  inFile((store, path) =>
    Effect.gen(function* () {
      yield* store.insert(rows.map((row, n) => run({ event_id: `e${n}`, ...row })))
      const db = Database.open(path, 1024)
      return yield* Effect.ensuring(use(store, db, path), Effect.sync(db.close))
    }),
  )

const FIELDS: ReadonlyArray<RunFilter> = [
  {},
  { run_id: "r0" },
  { parent_run_id: "r0" },
  { trace_id: "t" },
  { agent_name: "a" },
  { job_type: "llm_call" },
  { status: "failure" },
  { status: "success" },
  { product: "x" },
  { model: "m" },
  { created_after: "2026-01-01T00:00:00.000Z" },
  { created_before: "2026-01-03T00:00:00.000Z" },
  { start_time_from: "2026-01-01T00:00:00.000Z" },
  { start_time_to: "2026-01-03T00:00:00.000Z" },
  { job_type: "llm_call", status: "failure" },
  { parent_run_id: "r0", job_type: "llm_call" },
  { job_type: "llm_call", created_after: "2026-01-01T00:00:00.000Z", model: "m" },
]

const decoder = new TextDecoder()

describe("RunStoreSql's reads", () => {
  it.live("a list sorts what it finds, or looks at rows that its index could have told", () =>
    filled((_, db) =>
      Effect.sync(() => {
        const cursor = { createdAt: "2026-01-02T00:00:00.000Z", id: 5 }
        for (const filter of FIELDS) {
          for (const page of [{ limit: 100 }, { limit: 100, after: cursor }]) {
            for (const glance of [undefined, Queries.GLANCE]) {
              const { text, values } = Queries.places(filter, page, glance)
              const plan = db
                .all<{ readonly detail: string }>({ text: `EXPLAIN QUERY PLAN ${text}`, values })
                .map(({ detail }) => detail)
              const told = `${JSON.stringify(filter)}: ${plan.join("; ")}`
              expect(plan.join(), told).not.toContain("TEMP B-TREE")
              expect(
                plan.filter((line) => /^SCAN runs(?! USING)/.test(line)),
                told,
              ).toEqual([])
              const isRanged = Object.keys(filter).some(
                (name) => !name.startsWith("start_time") && !(filter.status === "success"),
              )
              if (isRanged || page.after !== undefined)
                expect(plan[plan.length > 1 ? 1 : 0], told).toMatch(/^SEARCH runs USING/)
            }
          }
        }
      }),
    ),
  )

  it.live("a filter finds other rows than a look at each of them would, a page or a stream loses or repeats one", () =>
    filled((store, db) =>
      Effect.gen(function* () {
        const all = yield* store.list({}, {})
        expect(all).toHaveLength(rows.length)
        for (const filter of [...FIELDS, ...filters]) {
          const wanted = all.filter(matches(filter)).map((row) => row.id)
          const told = JSON.stringify(filter)
          expect(
            JSON.parse(`[${decoder.decode(Queries.page(db, filter, { limit: 10_000 }, ",").json)}]`).map(
              (row: { readonly id: number }) => row.id,
            ),
            told,
          ).toEqual(wanted)
          expect(Counts.count(db, filter), told).toBe(wanted.length)
          expect(Counts.atGlance(db, filter) ?? wanted.length, told).toBe(wanted.length)
          const second = yield* store.list(filter, { limit: 20, offset: 10 })
          expect(
            second.map((row) => row.id),
            told,
          ).toEqual(wanted.slice(10, 30))
          const parts = yield* Stream.runCollect(store.json.rows(filter, { offset: 7, separator: "\n" }))
          const lines = decoder.decode(Buffer.concat(Chunk.toReadonlyArray(parts)))
          expect(lines === "" ? [] : lines.split("\n").map((line) => JSON.parse(line).id), told).toEqual(
            wanted.slice(7),
          )
        }
      }),
    ),
  )

  it.live("sums from roll-ups and from rows disagree with a plain look at every row", () =>
    filled((store, db) =>
      Effect.gen(function* () {
        const all = yield* store.list({}, {})
        for (const [n, filter] of filters.entries()) {
          const groupBy = GroupBy.literals[n % GroupBy.literals.length] ?? "model"
          const told = `${groupBy} of ${JSON.stringify(filter)}`
          const found = yield* store.stats(groupBy, filter)
          plainStats(all, groupBy, filter).forEach((wanted, place) => {
            const group = found[place]
            expect(group, told).toMatchObject(wanted.exact)
            for (const name of ["latency_ms", "time_to_first_token_ms"] as const) {
              for (const share of ["p50", "p95", "p99"] as const) {
                const [value, exact] = [group?.[name][share], wanted[name][share]]
                if (exact === null) expect(value, told).toBeNull()
                else
                  expect(Math.abs((value ?? Number.NaN) - exact), `${told} ${name} ${share}`).toBeLessThanOrEqual(
                    exact * 0.05,
                  )
              }
            }
          })
          expect(
            found.map(({ group }) => group),
            told,
          ).toEqual(plainStats(all, groupBy, filter).map(({ exact }) => exact.group))
        }
        expect(db.all({ text: "SELECT 1 FROM runs WHERE bears = 0", values: [] }).length).toBeGreaterThan(20)
      }),
    ),
  )

  it.live("a row written without its record is not the text of the record", () =>
    filled((store, db) =>
      Effect.gen(function* () {
        yield* store.insert([
          run({
            event_id: "odd",
            error_summary: "\u0000 \ud83d",
            context_json: JSON.parse('{"__proto__":1,"2":0,"1":"ü"}'),
          }),
          run({ event_id: "signs", error_summary: '\u0001\u000b\b\f\n\r\t"\\\u007f\u2028ü😀/</' }),
          run({ event_id: "repo", git_repo: "https://github.com/a/b", git_commit_hash: "0123abc", api_posted: true }),
        ])
        const texts = db.values({ text: `SELECT ${TEXT_SELECTION} FROM runs`, values: [] }).map(toText)
        const records = db.all<RunRow>({ text: `SELECT ${RUN_SELECTION} FROM runs`, values: [] })
        expect(texts).toEqual(records.map((row) => JSON.stringify(toRecord(row))))
      }),
    ),
  )

  it.live("a page at a large offset, or of a filter that matches little, keeps the writer's thread", () =>
    inFile((store, path) =>
      Effect.gen(function* () {
        yield* store.insert(
          Array.from({ length: 2500 }, (_, n) =>
            run({ event_id: `e${n}`, job_type: "llm_call", product: n === 0 ? "rare" : "usual", status: "failure" }),
          ),
        )
        const db = Database.open(path, 1024)
        expect(Queries.pageAtGlance(db, { job_type: "llm_call" }, { limit: 100, offset: 2000 }, ",")).toBeUndefined()
        expect(
          Queries.pageAtGlance(db, { job_type: "llm_call", status: "success" }, { limit: 100 }, ","),
        ).toBeUndefined()
        expect(Queries.pageAtGlance(db, { job_type: "llm_call" }, { limit: 100 }, ",")?.rows).toBe(100)
        expect(Counts.atGlance(db, { status: "failure" })).toBeUndefined()
        db.close()
        expect(yield* store.list({ job_type: "llm_call" }, { limit: 100, offset: 2450 })).toHaveLength(50)
        expect(yield* store.list({ job_type: "llm_call", status: "success" }, { limit: 100 })).toEqual([])
        expect(yield* store.list({ product: "rare", status: "failure" }, { limit: 5 })).toHaveLength(1)
        expect(yield* store.count({ status: "failure" })).toBe(2500)
      }),
    ),
  )
})
