import * as fs from "node:fs"
import * as nodePath from "node:path"
import { describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import * as BudgetLedger from "../../layers/BudgetLedger.js"
import * as BudgetLedgerReport from "../../layers/BudgetLedgerReport.js"
import { Budget, type Spending } from "../../services/Budget.js"
import { about, buy, fileIn, spend, thisMonth } from "../support/LedgerSpending.js"
import * as RunFolders from "../support/RunFolders.js"
import * as WarningLog from "../support/WarningLog.js"

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

  it.scopedLive(
    "the empty ledger that a process leaves which was stopped in making it is called damaged, or kept from use",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        fs.mkdirSync(nodePath.join(runsDir, ".budget"))
        fs.writeFileSync(fileIn(runsDir), "")
        expect(Option.isNone(yield* BudgetLedgerReport.read(runsDir))).toBe(true)
        yield* Effect.provide(buy(spend(6e8)), BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 }))
        expect(yield* thisMonth(runsDir)).toMatchObject({ spentNanoUsd: 6e8 })
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

  /** The ledger in the hands of another program. */
  const other = (runsDir: string) =>
    Effect.acquireRelease(
      Effect.sync(() => new Sqlite(fileIn(runsDir))),
      (database) => Effect.sync(() => database.close()),
    )

  /** As long as it may take until the ledger is given up on. */
  const patiently = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(effect)
      yield* TestClock.adjust("10 seconds")
      return yield* Fiber.join(fiber)
    })

  it.scoped(
    "a ledger that cannot be written any more stops the program, lets it spend without a limit, or its calls are lost",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const log = WarningLog.make()
        yield* Effect.gen(function* () {
          yield* buy(spend(4e8))
          const database = yield* other(runsDir)
          database.exec("BEGIN IMMEDIATE")
          yield* patiently(buy(spend(4e8)))
          const refused = yield* Effect.either(buy(spend(3e8)))
          expect(Either.isLeft(refused) && refused.left).toMatchObject({ budget: "month", spent: 8e8 })
          yield* buy(spend(1e8))
          expect(log.warnings().filter((line) => line.includes("goes on counting alone"))).toHaveLength(1)
          database.exec("ROLLBACK")
        }).pipe(Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })), Effect.provide(log.layer))
        expect(yield* thisMonth(runsDir)).toMatchObject({ spentNanoUsd: 9e8, calls: 3, reservedNanoUsd: 0 })
      }),
  )

  it.scoped("who never got to write the ledger begins to count from nothing, whatever others have spent", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const limits = BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })
      const log = WarningLog.make()
      yield* Effect.gen(function* () {
        const budget = yield* Budget
        yield* Effect.provide(buy(spend(7e8)), limits)
        const database = yield* other(runsDir)
        database.exec("BEGIN IMMEDIATE")
        const refused = yield* Effect.either(patiently(budget.reserve(spend(4e8), about)))
        expect(Either.isLeft(refused) && refused.left).toMatchObject({ budget: "month", spent: 7e8 })
        database.exec("ROLLBACK")
      }).pipe(Effect.provide(limits), Effect.provide(log.layer))
      expect(log.warnings()).toHaveLength(1)
    }),
  )

  it.scopedLive("a full disk is called by another name", () =>
    Effect.gen(function* () {
      const runsDir = yield* RunFolders.temporary
      const log = WarningLog.make()
      yield* Effect.gen(function* () {
        const database = yield* other(runsDir)
        // As SQLite does it: the transaction is over before the statement has failed.
        database.exec(`CREATE TRIGGER full BEFORE INSERT ON reservations
          BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END`)
        yield* buy(spend(4e8))
      }).pipe(Effect.provide(BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })), Effect.provide(log.layer))
      expect(log.warnings().join()).toContain("disk is full")
      expect(log.warnings().join()).not.toContain("rollback")
      expect(yield* thisMonth(runsDir)).toMatchObject({ spentNanoUsd: 4e8, calls: 1 })
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
