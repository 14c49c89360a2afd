import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Budget, type BudgetService, type Reservation } from "../services/Budget.js"
import { type BudgetLimits, standing } from "../src/domain/BudgetLimits.js"
import { none, type Spending } from "../src/domain/Spending.js"
import * as BudgetLedgerBook from "./BudgetLedgerBook.js"
import * as BudgetLedgerFile from "./BudgetLedgerFile.js"
import * as BudgetMemory from "./BudgetMemory.js"
import * as BudgetNotice from "./BudgetNotice.js"
import * as FileProblem from "./FileProblem.js"
import * as RunLock from "./RunLock.js"

/** The ledger cannot be used, and a limit needs it. `message` says what is wrong with which file and what to do. */
export class BudgetLedgerError extends Data.TaggedError("BudgetLedgerError")<{
  readonly path: string
  readonly message: string
  readonly cause?: unknown
}> {}

export interface Options extends BudgetLimits {
  /** The runs folder in which all its launches count together. */
  readonly runsDir: string
  /** Who else is told of alerts. */
  readonly webhook?: BudgetNotice.WebhookOptions | undefined
}

const unusable = (path: string, cause: unknown) =>
  new BudgetLedgerError({
    path,
    cause,
    message:
      `${FileProblem.explain("use the ledger of budgets", path, cause)}. Limits of a day, month, worker or model need it: mend it, ` +
      "or move it away (what was spent so far is then forgotten), or leave those limits out.",
  })

/** Others that open it at the same moment are soon done. */
const patience = Schedule.upTo(Schedule.jittered(Schedule.spaced("50 millis")), "5 seconds")

const opened = (
  path: string,
  limits: BudgetLimits,
): Effect.Effect<BudgetLedgerBook.BudgetLedgerBook, BudgetLedgerError> =>
  Effect.gen(function* () {
    const owner = JSON.stringify(yield* Effect.promise(() => RunLock.own()))
    const at = yield* Clock.currentTimeMillis
    const file = yield* Effect.try({
      try: () => BudgetLedgerFile.open(path, at),
      catch: (cause) => unusable(path, cause),
    }).pipe(Effect.retry({ schedule: patience, while: ({ cause }) => BudgetLedgerBook.isBusy(cause) }))
    return yield* BudgetLedgerBook.make(file, { id: randomUUID(), owner }, path, limits)
  })

/** The book when it is first needed; without limits that need it, one that cannot be had is a warning. */
const whenNeeded = (
  path: string,
  limits: BudgetLimits,
): Effect.Effect<Effect.Effect<Option.Option<BudgetLedgerBook.BudgetLedgerBook>>> =>
  Effect.cached(
    opened(path, limits).pipe(
      Effect.asSome,
      Effect.catchAll((error) =>
        Effect.as(
          Effect.logWarning(
            `${FileProblem.explain("keep the ledger of budgets", path, error.cause)}. What this program spends is not counted there.`,
          ),
          Option.none(),
        ),
      ),
    ),
  )

const make = (options: Options): Effect.Effect<BudgetService, BudgetLedgerError, Scope.Scope> =>
  Effect.gen(function* () {
    const path = BudgetLedgerFile.pathIn(options.runsDir)
    const limits = standing(options)
    const launch = yield* BudgetMemory.make(BudgetMemory.launchOnly(options))
    const used = yield* Ref.make(Option.none<BudgetLedgerBook.BudgetLedgerBook>())
    const lazily = yield* whenNeeded(path, options)
    const book =
      limits.length === 0
        ? lazily
        : yield* Effect.map(Effect.asSome(opened(path, options)), (found) => Effect.succeed(found))
    const needed = Effect.tap(book, (found) => Ref.set(used, found))
    yield* Effect.addFinalizer(() =>
      Effect.flatMap(Ref.get(used), Option.match({ onNone: () => Effect.void, onSome: ({ close }) => close })),
    )
    if (limits.length > 0) {
      const found = yield* needed
      if (Option.isSome(found)) yield* found.value.configure(limits)
    }

    const reserve: BudgetService["reserve"] = (estimate, about) =>
      Effect.uninterruptible(
        Effect.gen(function* () {
          const own = yield* launch.reserve(estimate, about)
          const ledger = estimate.isFree === true ? Option.none() : yield* needed
          if (Option.isNone(ledger)) return own
          return yield* ledger.value.reserve(estimate, about).pipe(Effect.onError(() => launch.settle(own, none)))
        }),
      )

    const settle = (reservation: Reservation, actual: Spending) =>
      Effect.gen(function* () {
        const alerts = yield* launch.settle(reservation, actual)
        const isFree = actual.isFree === true && reservation.estimate.isFree === true
        const ledger = isFree ? Option.none() : yield* needed
        if (Option.isNone(ledger)) return alerts
        return [...alerts, ...(yield* ledger.value.settle(reservation, actual))]
      })

    return yield* BudgetNotice.noticed(
      { reserve, settle: (one, actual) => Effect.uninterruptible(settle(one, actual)), spent: launch.spent },
      options,
    )
  })

/**
 * Limits of a launch in memory, and of a UTC day, a UTC month, a worker and a model in a ledger in the runs folder
 * (`.budget/ledger.sqlite`), where all processes that use the folder set aside before they call and count after it, each step in one
 * transaction: together they overshoot a limit only by what calls in flight use beyond their estimates. What a dead process
 * had set aside is given free; of a process of which nobody can tell from here whether it lives (in another container) after an hour.
 *
 * With such a limit a ledger that cannot be opened, or is damaged, keeps the layer from being built; without any it is a warning,
 * and so is one that fails later: this process then counts on alone, from what the ledger says then or last said, and writes what it counted meanwhile
 * when the scope closes, if it can. Simulated and replayed calls never touch the ledger. Alerts also go to the webhook when there is one.
 */
export const layer = (options: Options): Layer.Layer<Budget, BudgetLedgerError> => Layer.scoped(Budget, make(options))

/** A variable that is set to nothing is not set. */
const given = (secret: Option.Option<Redacted.Redacted<string>>) =>
  Option.filter(secret, (value) => Redacted.value(value).trim() !== "")

/**
 * {@link layer} for a program: `RUNLEDGER_RUNS_DIR` (`runs`), `RUNLEDGER_WEBHOOK_URL` and `RUNLEDGER_WEBHOOK_SECRET` stand in for
 * what is not given.
 */
export const layerConfig = (
  options: BudgetLimits & { readonly runsDir?: string },
): Layer.Layer<Budget, BudgetLedgerError | ConfigError.ConfigError> =>
  Layer.unwrapEffect(
    Effect.map(
      Config.all({
        runsDir: Config.withDefault(Config.nonEmptyString("RUNLEDGER_RUNS_DIR"), "runs"),
        url: Config.map(Config.option(Config.redacted("RUNLEDGER_WEBHOOK_URL")), given),
        secret: Config.map(Config.option(Config.redacted("RUNLEDGER_WEBHOOK_SECRET")), given),
      }),
      ({ runsDir, secret, url }) =>
        layer({
          runsDir,
          ...options,
          webhook: Option.isSome(url) ? { url: url.value, secret: Option.getOrUndefined(secret) } : undefined,
        }),
    ),
  )
