import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { json, runsDir } from "./ReadOptions.js"

const options = { json, runsDir }

/** The flags of `budget` as its program takes them. */
export type BudgetOptions = Command.Command.ParseConfig<typeof options>

/** What is spent of the budgets that all launches of a runs folder share. */
export const budget = Command.make("budget", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./BudgetProgram.js")),
    ({ program }) => program(given),
  ),
)
