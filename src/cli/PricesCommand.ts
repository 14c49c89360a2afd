import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

const ACTIONS = ["list", "diff", "update"] as const

const options = {
  action: Args.choice(
    ACTIONS.map((name): [string, (typeof ACTIONS)[number]] => [name, name]),
    { name: "list|diff|update" },
  ).pipe(
    Args.withDescription(
      "list the prices (the default); diff: what FILE would change; update: make FILE your price file",
    ),
    Args.withDefault("list" as const),
  ),
  file: Args.text({ name: "FILE" }).pipe(
    Args.withDescription("A price file, JSON or YAML, for diff and update"),
    Args.optional,
  ),
  provider: Options.text("provider").pipe(
    Options.withPseudoName("P"),
    Options.withDescription("Only prices of this provider"),
    Options.optional,
  ),
  model: Options.text("model").pipe(
    Options.withPseudoName("M"),
    Options.withDescription("Only models whose name has this in it"),
    Options.optional,
  ),
  at: Options.text("at").pipe(
    Options.withPseudoName("DATE"),
    Options.withDescription("Only what is in force then: 2026-01-31 (UTC) or 2026-01-31T12:00:00Z"),
    Options.optional,
  ),
  yes: Options.boolean("yes").pipe(
    Options.withDescription("update: install FILE; without it only what would change is said"),
  ),
  dryRun: Options.boolean("dry-run").pipe(Options.withDescription("update: only say what would change")),
  json,
}

/** The words and flags of `prices` as its program takes them. */
export type PricesOptions = Command.Command.ParseConfig<typeof options>

/** What tokens cost, and where each rate was read. */
export const prices = Command.make("prices", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./PricesProgram.js")),
    ({ program }) => program(given),
  ),
)
