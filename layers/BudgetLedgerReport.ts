import { existsSync } from "node:fs"
import * as nodePath from "node:path"
import Sqlite from "better-sqlite3"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as BudgetForecast from "../src/domain/BudgetForecast.js"
import type { BudgetReport, BudgetRow } from "../src/domain/BudgetReport.js"
import { dayOf, monthOf } from "../src/domain/BudgetWindow.js"
import * as BudgetLedgerFile from "./BudgetLedgerFile.js"
import * as BudgetLedgerOwners from "./BudgetLedgerOwners.js"
import * as FileProblem from "./FileProblem.js"

/** The ledger is there and cannot be read. */
export class BudgetLedgerUnreadable extends Data.TaggedError("BudgetLedgerUnreadable")<{
  readonly message: string
  readonly cause: unknown
}> {}

interface WindowRow {
  readonly kind: string
  readonly period: string
  readonly name: string
  readonly calls: number
  readonly tokens: number
  readonly nanousd: number
  readonly unpriced_calls: number
}

interface ReservationRow {
  readonly owner: string
  readonly at: number
  readonly day: string
  readonly month: string
  readonly worker: string | null
  readonly model: string
  readonly nanousd: number
}

interface LimitRow {
  readonly kind: string
  readonly name: string
  readonly nanousd: number
}

interface AlertRow {
  readonly kind: string
  readonly period: string
  readonly name: string
  readonly nanousd: number
  readonly percent: number
}

interface RefusalRow {
  readonly kind: string
  readonly period: string
  readonly name: string
  readonly calls: number
}

interface Contents {
  readonly since: number
  readonly windows: ReadonlyArray<WindowRow>
  readonly reservations: ReadonlyArray<ReservationRow>
  readonly limits: ReadonlyArray<LimitRow>
  readonly alerts: ReadonlyArray<AlertRow>
  readonly refusals: ReadonlyArray<RefusalRow>
}

const hasNothing = (database: Sqlite.Database): boolean =>
  database.prepare("SELECT 1 FROM sqlite_schema LIMIT 1").get() === undefined

/** A ledger that no newer version has opened yet counts none. */
const refusalsIn = (database: Sqlite.Database): ReadonlyArray<RefusalRow> =>
  database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'refusals'").get() === undefined
    ? []
    : database.prepare<[], RefusalRow>("SELECT * FROM refusals").all()

/** Who may write the log's files beside the database takes them away again; one that others have open is only read. */
const contentsOf = (path: string): Contents | undefined => {
  const database = new Sqlite(path, { readonly: existsSync(`${path}-wal`), fileMustExist: true, timeout: 2000 })
  try {
    // A process that was stopped just when it made the ledger leaves an empty one, and the next one makes it anew.
    if (database.pragma("user_version", { simple: true }) === 0 && hasNothing(database)) return undefined
    return database.transaction(() => ({
      since: database.prepare<[], { readonly at: number }>("SELECT at FROM beginning").get()?.at ?? 0,
      windows: database.prepare<[], WindowRow>("SELECT * FROM windows").all(),
      reservations: database.prepare<[], ReservationRow>("SELECT * FROM reservations").all(),
      limits: database.prepare<[], LimitRow>("SELECT kind, name, nanousd FROM limits").all(),
      alerts: database.prepare<[], AlertRow>("SELECT * FROM alerts ORDER BY percent").all(),
      refusals: refusalsIn(database),
    }))()
  } finally {
    database.close()
  }
}

/** Without what dead processes left behind. */
const living = (rows: ReadonlyArray<ReservationRow>) => {
  const oldest = new Map<string, number>()
  for (const { at, owner } of rows) oldest.set(owner, Math.min(at, oldest.get(owner) ?? at))
  return Effect.map(
    BudgetLedgerOwners.forfeits(Array.from(oldest, ([owner, at]) => ({ owner, oldest: at }))),
    (forfeits) => rows.filter(({ at, owner }) => !forfeits.some((one) => one.owner === owner && at < one.before)),
  )
}

type Place = Pick<BudgetRow, "kind" | "name" | "period">

const isOf =
  ({ kind, name, period }: Place) =>
  ({ day, model, month, worker }: ReservationRow): boolean => {
    switch (kind) {
      case "day":
        return day === period
      case "month":
        return month === period
      case "worker":
        return month === period && worker === name
      case "model":
        return month === period && model === name
    }
  }

const rowOf = (contents: Contents, nowMillis: number, place: Place): BudgetRow => {
  const { kind, name, period } = place
  const isIt = (one: RefusalRow | WindowRow) => one.kind === kind && one.period === period && one.name === name
  const found = contents.windows.find(isIt)
  const limitNanoUsd = contents.limits.find((one) => one.kind === kind && one.name === name)?.nanousd ?? null
  const spentNanoUsd = found?.nanousd ?? 0
  return {
    ...place,
    limitNanoUsd,
    spentNanoUsd,
    reservedNanoUsd: contents.reservations.filter(isOf(place)).reduce((sum, { nanousd }) => sum + nanousd, 0),
    calls: found?.calls ?? 0,
    tokens: found?.tokens ?? 0,
    unpricedCalls: found?.unpriced_calls ?? 0,
    refusedCalls: contents.refusals.find(isIt)?.calls ?? 0,
    alerts: contents.alerts
      .filter((one) => one.kind === kind && one.period === period && one.name === name && one.nanousd === limitNanoUsd)
      .map(({ percent }) => percent),
    forecast:
      kind === "day" || kind === "month"
        ? BudgetForecast.of({ period, spentNanoUsd, limitNanoUsd, sinceMillis: contents.since, nowMillis })
        : null,
  }
}

/** The workers or models of a month: those that spent, those that have a limit, and those with calls in flight. */
const names = (contents: Contents, kind: "worker" | "model", month: string): ReadonlyArray<string> =>
  [
    ...new Set([
      ...contents.windows.filter((one) => one.kind === kind && one.period === month).map(({ name }) => name),
      ...contents.limits.filter((one) => one.kind === kind).map(({ name }) => name),
      ...contents.reservations
        .filter((one) => one.month === month)
        .flatMap((one) => (one[kind] === null ? [] : [one[kind]])),
    ]),
  ].sort()

const rowsOf = (contents: Contents, nowMillis: number): ReadonlyArray<BudgetRow> => {
  const month = monthOf(nowMillis)
  const places: ReadonlyArray<Place> = [
    { kind: "day", name: "", period: dayOf(nowMillis) },
    { kind: "month", name: "", period: month },
    ...(["worker", "model"] as const).flatMap((kind) =>
      names(contents, kind, month).map((name) => ({ kind, name, period: month })),
    ),
  ]
  return places.map((place) => rowOf(contents, nowMillis, place))
}

/** What the ledger of a runs folder says of this day and month (UTC); none when there is no ledger. Changes nothing of it. */
export const read = (runsDir: string): Effect.Effect<Option.Option<BudgetReport>, BudgetLedgerUnreadable> =>
  Effect.gen(function* () {
    const ledger = BudgetLedgerFile.pathIn(nodePath.resolve(runsDir))
    if (!existsSync(ledger)) return Option.none()
    const all = yield* Effect.try({
      try: () => contentsOf(ledger),
      catch: (cause) =>
        new BudgetLedgerUnreadable({
          cause,
          message: `${FileProblem.explain("read the ledger of budgets", ledger, cause)}. Move it away to begin a new one; what was spent so far is then forgotten.`,
        }),
    })
    if (all === undefined) return Option.none()
    const contents = { ...all, reservations: yield* living(all.reservations) }
    const atMillis = yield* Clock.currentTimeMillis
    return Option.some({ ledger, atMillis, sinceMillis: contents.since, rows: rowsOf(contents, atMillis) })
  })
