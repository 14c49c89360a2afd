import { type ChildProcessByStdio, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as nodePath from "node:path"
import type { Readable } from "node:stream"
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as BudgetLedger from "../../layers/BudgetLedger.js"
import * as BudgetLedgerReport from "../../layers/BudgetLedgerReport.js"
import { Budget, type Spending } from "../../services/Budget.js"
import * as RunFolders from "../support/RunFolders.js"
import * as WarningLog from "../support/WarningLog.js"

const root = nodePath.resolve(import.meta.dirname, "..", "..")
const program = nodePath.join(root, "test", "support", "SpendingMain.ts")
const about = { worker: "W2.FactsBuilder", model: "claude-sonnet-4-5" }
const spend = (nanoUsd: number): Spending => ({ calls: 1, tokens: 10, nanoUsd })
const fileIn = (runsDir: string) => nodePath.join(runsDir, ".budget", "ledger.sqlite")

type Child = ChildProcessByStdio<null, Readable, null>

const started = (words: ReadonlyArray<string | number>): Child =>
  spawn(process.execPath, ["--import", "tsx", program, ...words.map(String)], {
    cwd: root,
    stdio: ["ignore", "pipe", "inherit"],
  })

/** What a process said until it ended. */
const ended = (child: Child) =>
  Effect.async<ReadonlyArray<string>>((resume) => {
    let text = ""
    child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString("utf8")))
    child.on("close", () => resume(Effect.succeed(text.split("\n").filter((line) => line !== ""))))
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(Effect.timeout("100 seconds"))

const buy = (spending: Spending) =>
  Effect.gen(function* () {
    const budget = yield* Budget
    return yield* budget.settle(yield* budget.reserve(spending, about), spending)
  })

const thisMonth = (runsDir: string) =>
  Effect.map(BudgetLedgerReport.read(runsDir), (report) => Option.getOrThrow(report).rows[1])

/** Many processes, 64 calls at once, on one budget. */
const race = (runsDir: string, used: number) =>
  Effect.gen(function* () {
    const said = yield* Effect.forEach(
      Array.from({ length: 4 }),
      () => ended(started([runsDir, "spend", 1, 16, 1e8, used])),
      { concurrency: "unbounded" },
    )
    const count = (word: string) => said.flat().filter((line) => line === word).length
    return { granted: count("granted"), settled: count("settled"), refused: count("refused") }
  })

describe("BudgetLedger across processes", () => {
  it.scopedLive("64 calls of four processes against a budget of 10 spend more than it", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      expect(yield* race(runsDir, 1e8)).toEqual({ granted: 10, settled: 10, refused: 54 })
      expect(yield* thisMonth(runsDir)).toMatchObject({
        spentNanoUsd: 1e9,
        reservedNanoUsd: 0,
        calls: 10,
        limitNanoUsd: 1e9,
      })
    }),
  )

  it.scopedLive(
    "calls that use a half more than they set aside overshoot by more than that half of those in flight",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const { granted, refused, settled } = yield* race(runsDir, 1.5e8)
        expect([granted, granted + refused]).toEqual([settled, 64])
        const row = yield* thisMonth(runsDir)
        expect(row).toMatchObject({ spentNanoUsd: settled * 1.5e8, reservedNanoUsd: 0 })
        // At most ten are in flight when the last is granted, and each uses half of its estimate beyond it.
        expect(row?.spentNanoUsd ?? 0).toBeLessThanOrEqual(1e9 + 10 * 0.5e8)
      }),
  )

  it.scopedLive("what a killed process had set aside stands in the way of others for good", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const child = started([runsDir, "hold", 1, 1, 9e8])
      yield* Effect.async<void>((resume) => {
        child.stdout.once("data", () => resume(Effect.void))
      }).pipe(Effect.timeout("60 seconds"))
      expect(yield* thisMonth(runsDir)).toMatchObject({ reservedNanoUsd: 9e8 })
      yield* Effect.gen(function* () {
        const waiting = yield* Effect.fork(buy(spend(5e8)))
        yield* Effect.sleep("300 millis")
        expect(Option.isNone(yield* Fiber.poll(waiting))).toBe(true)
        const gone = ended(child)
        child.kill("SIGKILL")
        yield* gone
        yield* Fiber.join(waiting).pipe(Effect.timeout("30 seconds"))
      }).pipe(Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })))
      expect(yield* thisMonth(runsDir)).toMatchObject({ spentNanoUsd: 5e8, reservedNanoUsd: 0 })
    }),
  )

  it.scopedLive("the next process forgets what the month has cost, or raises a threshold again", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const limits = BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })
      const first = yield* Effect.provide(buy(spend(6e8)), limits)
      expect(first.map(({ thresholdPercent }) => thresholdPercent)).toEqual([50])
      const second = yield* Effect.provide(buy(spend(1e8)), limits)
      expect(second).toEqual([])
      const third = yield* Effect.either(Effect.provide(buy(spend(4e8)), limits))
      expect(Either.isLeft(third) && third.left).toMatchObject({ _tag: "BudgetExceeded", spent: 7e8 })
      expect(yield* thisMonth(runsDir)).toMatchObject({ alerts: [50], calls: 2 })
    }),
  )

  it.scopedLive("the ledger can be read by others, or lies where a link points", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      yield* Effect.gen(function* () {
        yield* buy(spend(1))
        for (const name of fs.readdirSync(nodePath.join(runsDir, ".budget"))) {
          expect([name, fs.statSync(nodePath.join(runsDir, ".budget", name)).mode & 0o777]).toEqual([name, 0o600])
        }
        expect(fs.statSync(nodePath.join(runsDir, ".budget")).mode & 0o777).toBe(0o700)
      }).pipe(Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })))
      const linked = yield* RunFolders.temporary
      fs.mkdirSync(nodePath.join(linked, ".budget"))
      fs.symlinkSync(fileIn(runsDir), fileIn(linked))
      const refused = yield* Effect.either(Layer.build(BudgetLedger.layer({ runsDir: linked, maxCostUsdPerMonth: 1 })))
      expect(Either.isLeft(refused) && refused.left.message).toContain("symbolic link")
    }),
  )

  it.scopedLive("simulated calls leave a ledger behind", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const free = { ...spend(0), isFree: true }
      yield* Effect.provide(buy(free), BudgetLedger.layer({ runsDir, maxCostUsd: 5 }))
      expect(fs.existsSync(nodePath.join(runsDir, ".budget"))).toBe(false)
      expect(Option.isNone(yield* BudgetLedgerReport.read(runsDir))).toBe(true)
    }),
  )

  it.scopedLive("calls that are interrupted while they wait or work leave something set aside", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      yield* Effect.gen(function* () {
        const budget = yield* Budget
        const one = Effect.acquireUseRelease(
          budget.reserve(spend(4e8), about),
          () => Effect.sleep("1 millis"),
          (reservation) => budget.settle(reservation, spend(1e5)),
        )
        const many = Array.from({ length: 150 }, () =>
          Effect.gen(function* () {
            const fiber = yield* Effect.fork(one)
            yield* Effect.sleep(yield* Random.nextIntBetween(0, 12))
            yield* Fiber.interrupt(fiber)
          }),
        )
        yield* Effect.all(many, { concurrency: 16 })
        yield* budget.settle(yield* budget.reserve(spend(9e8), about), spend(0))
      }).pipe(Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsd: 1, maxCostUsdPerMonth: 1 })))
      expect(yield* thisMonth(runsDir)).toMatchObject({ reservedNanoUsd: 0 })
    }),
  )
})

describe("BudgetLedger in trouble", () => {
  const broken: ReadonlyArray<readonly [string, (runsDir: string) => void, string]> = [
    [
      "is no database",
      (runsDir) => {
        fs.mkdirSync(nodePath.join(runsDir, ".budget"))
        fs.writeFileSync(fileIn(runsDir), "this is not a ledger. ".repeat(100))
      },
      "not a database",
    ],
    [
      "was made by a newer version",
      (runsDir) => {
        fs.mkdirSync(nodePath.join(runsDir, ".budget"))
        const database = new Sqlite(fileIn(runsDir))
        database.pragma("user_version = 99")
        database.close()
      },
      "newer version",
    ],
    ["stands where a file is", (runsDir) => fs.writeFileSync(nodePath.join(runsDir, ".budget"), ""), ".budget"],
  ]

  it.scopedLive.each(broken)(
    "a ledger that %s is passed over although a limit needs it, or stops a program without one",
    ([, breakIt, word]) =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        breakIt(runsDir)
        const refused = yield* Effect.either(Layer.build(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })))
        expect(Either.isLeft(refused) && refused.left).toMatchObject({ _tag: "BudgetLedgerError" })
        expect(Either.isLeft(refused) && refused.left.message).toContain(word)
        expect(Either.isLeft(refused) && refused.left.message).toContain("move it away")
        const log = WarningLog.make()
        yield* Effect.all([buy(spend(1)), buy(spend(2))]).pipe(
          Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsd: 1 })),
          Effect.provide(log.layer),
        )
        expect(log.warnings()).toHaveLength(1)
        expect(log.warnings()[0]).toContain("cannot keep the ledger of budgets")
      }),
  )

  it.scopedLive("a damaged page of the ledger goes unnoticed at the start", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      yield* Effect.provide(buy(spend(6e8)), BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 }))
      const file = fs.openSync(fileIn(runsDir), "r+")
      const size = fs.fstatSync(file).size
      fs.writeSync(file, Buffer.alloc(4096, 0x5a), 0, 4096, size - 3 * 4096)
      fs.closeSync(file)
      const refused = yield* Effect.either(Layer.build(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })))
      expect(Either.isLeft(refused) && refused.left.message).toContain("ledger of budgets")
    }),
  )

  it.scopedLive(
    "a ledger that cannot be written any more stops the program, lets it spend without a limit, or its calls are lost",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const log = WarningLog.make()
        const other = yield* Effect.acquireRelease(
          Effect.sync(() => new Sqlite(fileIn(runsDir))),
          (database) => Effect.sync(() => database.close()),
        ).pipe(Effect.cached)
        yield* Effect.gen(function* () {
          yield* buy(spend(4e8))
          const database = yield* other
          database.exec("BEGIN IMMEDIATE")
          yield* buy(spend(4e8))
          const refused = yield* Effect.either(buy(spend(3e8)))
          expect(Either.isLeft(refused) && refused.left).toMatchObject({ budget: "month", spent: 8e8 })
          yield* buy(spend(1e8))
          expect(log.warnings().filter((line) => line.includes("goes on counting alone"))).toHaveLength(1)
          database.exec("ROLLBACK")
        }).pipe(Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })), Effect.provide(log.layer))
        expect(yield* thisMonth(runsDir)).toMatchObject({ spentNanoUsd: 9e8, calls: 3, reservedNanoUsd: 0 })
      }),
  )

  it.scopedLive("calls of unknown price pass a limit in USD in silence", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const log = WarningLog.make()
      const unknown: Spending = { calls: 1, tokens: 500, nanoUsd: 0, unpricedCalls: 1 }
      yield* Effect.all([buy(unknown), buy(unknown)]).pipe(
        Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })),
        Effect.provide(log.layer),
      )
      expect(log.warnings()).toHaveLength(1)
      expect(log.warnings()[0]).toMatch(/claude-sonnet-4-5.*budgets\.max_cost_usd_per_month does not see/)
      expect(yield* thisMonth(runsDir)).toMatchObject({ calls: 2, tokens: 1000, unpricedCalls: 2, spentNanoUsd: 0 })
    }),
  )
})
