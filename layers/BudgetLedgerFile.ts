import { lstatSync } from "node:fs"
import * as nodePath from "node:path"
import Sqlite from "better-sqlite3"
import type { StandingLimit } from "../src/domain/BudgetLimits.js"
import type { About, BudgetWindow } from "../src/domain/BudgetWindow.js"
import { dayOf, monthOf } from "../src/domain/BudgetWindow.js"
import { none, type Spending, type Tally } from "../src/domain/Spending.js"
import type { HolderRow } from "./BudgetLedgerOwners.js"
import * as PrivateFile from "./PrivateFile.js"

/** Where the ledger of a runs folder stands. */
export const pathIn = (runsDir: string): string => nodePath.join(runsDir, ".budget", "ledger.sqlite")

/** The form of the tables; a ledger of a newer form is left alone. */
export const FORM = 1

const TABLES = `
CREATE TABLE windows (
  kind TEXT NOT NULL, period TEXT NOT NULL, name TEXT NOT NULL,
  calls INTEGER NOT NULL, tokens INTEGER NOT NULL, nanousd INTEGER NOT NULL, unpriced_calls INTEGER NOT NULL,
  PRIMARY KEY (kind, period, name)
) STRICT;
CREATE TABLE reservations (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  holder TEXT NOT NULL, owner TEXT NOT NULL, at INTEGER NOT NULL,
  day TEXT NOT NULL, month TEXT NOT NULL, worker TEXT, model TEXT NOT NULL,
  calls INTEGER NOT NULL, tokens INTEGER NOT NULL, nanousd INTEGER NOT NULL
) STRICT;
CREATE TABLE limits (
  kind TEXT NOT NULL, name TEXT NOT NULL, nanousd INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;
CREATE TABLE alerts (
  kind TEXT NOT NULL, period TEXT NOT NULL, name TEXT NOT NULL, nanousd INTEGER NOT NULL, percent INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (kind, period, name, nanousd, percent)
) STRICT;
CREATE TABLE beginning (at INTEGER NOT NULL) STRICT;
`

/** Came later than the form, which it leaves as it is: who does not know it does without. */
const REFUSALS = `CREATE TABLE IF NOT EXISTS refusals (
  kind TEXT NOT NULL, period TEXT NOT NULL, name TEXT NOT NULL, calls INTEGER NOT NULL,
  PRIMARY KEY (kind, period, name)
) STRICT;`

type Key = [kind: string, period: string, name: string]

const keyOf = ({ kind, name, period }: BudgetWindow): Key => [kind, period, name]

/** A row of sums as SQLite gives it. */
interface Sums {
  readonly calls: number
  readonly tokens: number
  readonly nanousd: number
  readonly unpriced_calls: number
}

const spendingOf = (row: Sums | undefined): Spending =>
  row === undefined
    ? none
    : { calls: row.calls, tokens: row.tokens, nanoUsd: row.nanousd, unpricedCalls: row.unpriced_calls }

const RESERVED = `WITH asked (kind, period, name) AS (SELECT ?, ?, ?)
  SELECT coalesce(sum(calls), 0) AS calls, coalesce(sum(tokens), 0) AS tokens, coalesce(sum(nanousd), 0) AS nanousd,
  0 AS unpriced_calls FROM reservations, asked WHERE CASE asked.kind WHEN 'day' THEN day = period WHEN 'month' THEN month = period
  WHEN 'worker' THEN month = period AND worker = asked.name ELSE month = period AND model = asked.name END`

const SPENT = "SELECT calls, tokens, nanousd, unpriced_calls FROM windows WHERE kind = ? AND period = ? AND name = ?"

const COUNT = `INSERT INTO windows (kind, period, name, calls, tokens, nanousd, unpriced_calls) VALUES (?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, tokens = tokens + excluded.tokens,
  nanousd = nanousd + excluded.nanousd, unpriced_calls = unpriced_calls + excluded.unpriced_calls`

const RESERVE = `INSERT INTO reservations (holder, owner, at, day, month, worker, model, calls, tokens, nanousd)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

/** Who sets aside: this layer among those of its process, and its process among others. */
export interface Holder {
  readonly id: string
  readonly owner: string
}

/** The ledger's statements. Each throws what SQLite throws; those that belong together belong into `together`. */
export interface BudgetLedgerFile {
  /** All or nothing, and nobody else meanwhile. Throws at once when somebody else is at it. */
  readonly together: <A>(steps: () => A) => A
  readonly tally: (window: BudgetWindow) => Tally
  readonly reserve: (holder: Holder, estimate: Spending, about: About, atMillis: number) => number
  readonly release: (number: number) => void
  readonly count: (windows: ReadonlyArray<BudgetWindow>, spending: Spending) => void
  /** Whether this threshold is raised for the first time. */
  readonly isFirst: (window: BudgetWindow, nanoUsd: number, percent: number, atMillis: number) => boolean
  /** Counts a call that was refused for a window's limit. */
  readonly refused: (window: BudgetWindow) => void
  readonly holders: (except: string) => ReadonlyArray<HolderRow>
  readonly releaseOwner: (owner: string, before: number) => void
  readonly releaseHolder: (id: string) => void
  readonly configure: (limits: ReadonlyArray<StandingLimit>, atMillis: number) => void
  readonly close: () => void
}

/** The tables take whole numbers only. */
const whole = (amount: number): number => Math.round(amount)

const isNumbered = (value: unknown): value is number => typeof value === "number"

const prepared = (database: Sqlite.Database, beginAt: number): BudgetLedgerFile => {
  const spent = database.prepare<Key, Sums>(SPENT)
  const reserved = database.prepare<Key, Sums>(RESERVED)
  const count = database.prepare(COUNT)
  const reserve = database.prepare(RESERVE)
  const release = database.prepare("DELETE FROM reservations WHERE number = ?")
  const releaseOwner = database.prepare("DELETE FROM reservations WHERE owner = ? AND at < ?")
  const releaseHolder = database.prepare("DELETE FROM reservations WHERE holder = ?")
  const refused = database.prepare(
    "INSERT INTO refusals (kind, period, name, calls) VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET calls = calls + 1",
  )
  const first = database.prepare("INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, ?)")
  const holders = database.prepare<[string], HolderRow>(
    "SELECT owner, min(at) AS oldest FROM reservations WHERE owner <> ? GROUP BY owner",
  )
  const limit = database.prepare("INSERT OR REPLACE INTO limits (kind, name, nanousd, at) VALUES (?, ?, ?, ?)")
  const [begin, commit, rollback] = ["BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"].map((text) => database.prepare(text))
  const together = <A>(steps: () => A): A => {
    begin?.run()
    try {
      const result = steps()
      commit?.run()
      return result
    } catch (cause) {
      // What a full disk breaks off, SQLite has rolled back itself.
      if (database.inTransaction) rollback?.run()
      throw cause
    }
  }
  together(() => {
    const isBegun = database.prepare("SELECT 1 FROM beginning").get() !== undefined
    if (!isBegun) database.prepare("INSERT INTO beginning (at) VALUES (?)").run(beginAt)
  })
  return {
    together,
    tally: (window) => ({
      spent: spendingOf(spent.get(...keyOf(window))),
      reserved: spendingOf(reserved.get(...keyOf(window))),
    }),
    reserve: ({ id, owner }, { calls, nanoUsd, tokens }, { model, worker }, at) =>
      Number(
        reserve.run(
          id,
          owner,
          at,
          dayOf(at),
          monthOf(at),
          worker ?? null,
          model,
          whole(calls),
          whole(tokens),
          whole(nanoUsd),
        ).lastInsertRowid,
      ),
    release: (number) => void release.run(number),
    count: (windows, { calls, nanoUsd, tokens, unpricedCalls = 0 }) => {
      const sums = [whole(calls), whole(tokens), whole(nanoUsd), whole(unpricedCalls)]
      for (const window of windows) count.run(...keyOf(window), ...sums)
    },
    isFirst: (window, nanoUsd, percent, at) => first.run(...keyOf(window), nanoUsd, percent, at).changes === 1,
    refused: (window) => void refused.run(...keyOf(window)),
    holders: (except) => holders.all(except),
    releaseOwner: (owner, before) => void releaseOwner.run(owner, before),
    releaseHolder: (id) => void releaseHolder.run(id),
    configure: (limits, at) => {
      for (const { kind, name, nanoUsd } of limits) limit.run(kind, name, nanoUsd, at)
    },
    close: () => void database.close(),
  }
}

/** What keeps a file from being a ledger that this version reads, beyond what SQLite itself says. */
const formOf = (database: Sqlite.Database): number => {
  const form = database.pragma("user_version", { simple: true })
  if (!isNumbered(form) || form > FORM) throw new Error("it was made by a newer version of Runledger; use that one")
  const [problem] = database.prepare<[], { readonly quick_check: string }>("PRAGMA quick_check(1)").all()
  if (problem?.quick_check !== "ok") throw new Error(`it is damaged: ${problem?.quick_check ?? "it cannot be checked"}`)
  return form
}

const isLink = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true

/** How long opening waits for others that are just opening it, too. Blocks, so not for long. */
const OPENING_MILLIS = 2000

/**
 * Opens the ledger of a runs folder, and makes it when there is none: mode 0600 in a folder of 0700; links are not followed. Throws
 * when it cannot be used, a damaged one included. Every change is with the operating system when its step returns: it survives the
 * process, and the last ones before a power cut may be lost.
 */
export const open = (path: string, atMillis: number): BudgetLedgerFile => {
  PrivateFile.folder(nodePath.dirname(path), PrivateFile.FOLDER_MODE)
  if (isLink(path)) throw Object.assign(new Error("it is a link"), { code: "ELOOP" })
  PrivateFile.ensure(path)
  const database = new Sqlite(path, { timeout: OPENING_MILLIS })
  try {
    database.pragma("journal_mode = WAL")
    database.pragma("synchronous = NORMAL")
    database.exec("BEGIN IMMEDIATE")
    if (formOf(database) === 0) database.exec(`${TABLES} PRAGMA user_version = ${FORM};`)
    database.exec(REFUSALS)
    database.exec("COMMIT")
    const file = prepared(database, atMillis)
    // From now on a step that meets another one is tried again later: waiting here would stop the whole program.
    database.pragma("busy_timeout = 0")
    return file
  } catch (cause) {
    database.close()
    throw cause
  }
}
