import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { PriceBook } from "../../services/PriceBook.js"
import { RunStore } from "../../services/RunStore.js"
import * as PriceAge from "../domain/PriceAge.js"
import { DEFAULT_MODEL } from "../domain/RunConfig.js"
import { type Finding, fail, ok, warn } from "./DoctorFinding.js"
import type { Environment } from "./Environment.js"
import { Wiring } from "./Wiring.js"

const MINIMUM_NODE = [20, 19] as const

/** Node.js at `version` is new enough. */
export const node = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const enough = major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])
  return enough
    ? ok("node", version)
    : fail("node", `${version} is too old`, `Install Node.js ${MINIMUM_NODE.join(".")} or later.`)
}

/** What this is, and the Effect that it stands on. */
export const runledger = (version: string): Finding =>
  ok("runledger", `${version}, on effect ${Effect.void[Effect.EffectTypeId]._V}`)

/** The native module works: a database is made, written and checked in a folder that is gone afterwards. */
export const sqlite = Effect.gen(function* () {
  const wiring = yield* Wiring
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-doctor-" })
  const file = path.join(folder, "doctor.sqlite")
  const { info } = Context.get(yield* Layer.build(wiring.store(file)), RunStore)
  const { sqlite: version } = yield* wiring.checkDatabase(file)
  return ok(
    "sqlite",
    `version ${version}, the native module works, journal_mode ${info.journalMode}, synchronous ${info.synchronous}`,
  )
}).pipe(
  Effect.scoped,
  Effect.catchAllCause((cause) =>
    Effect.as(
      Effect.logDebug("SQLite", cause),
      fail(
        "sqlite",
        "the native module better-sqlite3 does not work",
        'Run "npm rebuild better-sqlite3"; it needs a C++ compiler and Python where no prebuilt binary can be had.',
      ),
    ),
  ),
)

/** Whether launches ask Anthropic. The key itself is never shown. */
export const key = (env: Environment): Finding =>
  Option.isSome(env.anthropicApiKey)
    ? ok("key", "ANTHROPIC_API_KEY is set (never shown); launches ask Anthropic unless --provider says otherwise")
    : ok("key", "no ANTHROPIC_API_KEY: launches use the sandbox, which needs none and costs nothing")

/** The default model has a price, from the tables and the user's own file. */
export const prices = (env: Environment) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const now = yield* Clock.currentTimeMillis
    return yield* PriceBook.pipe(
      Effect.provide(wiring.prices(env.prices)),
      Effect.map((book) => {
        const badge = PriceAge.badge(PriceAge.of(book.readOn, now, env.pricesOldAfterDays))
        const price = book.unsafePriceOf("anthropic", DEFAULT_MODEL, now)
        if (Option.isNone(price)) {
          return warn("prices", `${DEFAULT_MODEL} is unpriced`, "Give its rates: runledger prices update FILE.")
        }
        const priced = `${DEFAULT_MODEL} is priced by ${price.value.priceId}`
        return badge === null ? ok("prices", `${priced}; read on ${book.readOn}`) : warn("prices", priced, badge)
      }),
      Effect.catchTag("CommandError", (error) =>
        Effect.succeed(fail("prices", error.message, "Mend that file, or take it away (or unset RUNLEDGER_PRICES).")),
      ),
    )
  })
