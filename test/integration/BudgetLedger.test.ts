import { type ChildProcessByStdio, spawn } from "node:child_process"
import * as fs from "node:fs"
import * as nodePath from "node:path"
import type { Readable } from "node:stream"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import Sqlite from "better-sqlite3"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as BudgetLedger from "../../layers/BudgetLedger.js"
import * as BudgetLedgerReport from "../../layers/BudgetLedgerReport.js"
import { Budget } from "../../services/Budget.js"
import * as BudgetWindow from "../../src/domain/BudgetWindow.js"
import * as BundledProgram from "../support/BundledProgram.js"
import { about, buy, fileIn, spend, thisMonth } from "../support/LedgerSpending.js"
import * as RunFolders from "../support/RunFolders.js"

let program: BundledProgram.BundledProgram | undefined
beforeAll(async () => {
  program = await BundledProgram.make("SpendingMain.ts")
})
afterAll(() => program?.remove())

type Child = ChildProcessByStdio<null, Readable, null>

const started = (words: ReadonlyArray<string | number>): Child =>
  spawn(process.execPath, [program?.path ?? "", ...words.map(String)], { stdio: ["ignore", "pipe", "inherit"] })

/** What a process said until it ended. */
const ended = (child: Child) =>
  Effect.async<ReadonlyArray<string>>((resume) => {
    let text = ""
    child.stdout.on("data", (bytes: Buffer) => (text += bytes.toString("utf8")))
    child.on("close", () => resume(Effect.succeed(text.split("\n").filter((line) => line !== ""))))
    return Effect.sync(() => child.kill("SIGKILL"))
  }).pipe(Effect.timeout("100 seconds"))

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

  it.scopedLive(
    "what was set aside long ago by a process whose number another may have now stands in the way for good",
    () =>
      Effect.gen(function* () {
        const runsDir = yield* RunFolders.temporary
        const limits = BudgetLedger.layer({ runsDir, maxCostUsdPerMonth: 1 })
        const now = yield* Clock.currentTimeMillis
        // As a system tells it that does not tell when a process started.
        const owner = JSON.stringify({
          pid: process.ppid,
          start_time: null,
          boot_id: null,
          host: null,
          pid_namespace: null,
        })
        const left = (at: number) =>
          Effect.sync(() => {
            const database = new Sqlite(fileIn(runsDir))
            database
              .prepare(
                "INSERT INTO reservations (holder, owner, at, day, month, model, calls, tokens, nanousd) VALUES (?, ?, ?, ?, ?, ?, 1, 1, ?)",
              )
              .run("h", owner, at, BudgetWindow.dayOf(now), BudgetWindow.monthOf(now), "m", 9e8)
            database.close()
          })
        yield* Effect.gen(function* () {
          yield* left(now - 2 * 3_600_000)
          yield* Effect.timeout(buy(spend(2e8)), "30 seconds")
          yield* left(now)
          expect(Option.isNone(yield* Effect.timeoutOption(buy(spend(2e8)), "300 millis"))).toBe(true)
        }).pipe(Effect.provide(limits))
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
