import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

const text = (name: string, pseudo: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName(pseudo), Options.withDescription(description), Options.optional)

const number = (name: string, description: string) =>
  Options.integer(name).pipe(Options.withPseudoName("ID"), Options.withDescription(description), Options.optional)

const options = {
  model: text("model", "M", "Only calls of this model, by its whole name"),
  provider: text("provider", "P", "Only calls of this provider"),
  run: text("run", "RUN_ID", "Only calls of this run"),
  from: text("from", "WHEN", "Only calls that began then or later: 2026-01-31 (UTC) or 2026-01-31T12:00:00Z"),
  to: text("to", "WHEN", "Only calls that began then or before; a day is meant to its end"),
  all: Options.boolean("all").pipe(
    Options.withDescription("Also calls that have a price; without it only unpriced ones"),
  ),
  atToday: Options.boolean("at-today").pipe(
    Options.withDescription("At today's prices; without it at those of the day on which each call began"),
  ),
  yes: Options.boolean("yes").pipe(Options.withDescription("Change it; without it only what would change is said")),
  dryRun: Options.boolean("dry-run").pipe(
    Options.withDescription("Only say what would change, whatever else is given"),
  ),
  history: Options.boolean("history").pipe(Options.withDescription("The repricings that were done, newest first")),
  show: number("show", "What calls of this repricing cost before and since"),
  undo: number("undo", "Give calls of this repricing back what they cost before"),
  db: text("db", "FILE", "This database; without it the running server's, else TELEMETRY_DB_PATH"),
  json,
}

/** The flags of `reprice` as its program takes them. */
export type RepriceOptions = Command.Command.ParseConfig<typeof options>

/** Changes what calls cost, on purpose. */
export const reprice = Command.make("reprice", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./RepriceProgram.js")),
    ({ program }) => program(given),
  ),
)
