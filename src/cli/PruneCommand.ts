import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

const options = {
  olderThan: Options.text("older-than").pipe(
    Options.withPseudoName("AGE"),
    Options.withDescription("Whole runs that are older: 30d, 12h, 2w"),
    Options.optional,
  ),
  toSize: Options.text("to-size").pipe(
    Options.withPseudoName("SIZE"),
    Options.withDescription(
      "As much as brings it down to 500MB, 2GiB …: texts and events first, then runs, oldest first",
    ),
    Options.optional,
  ),
  runsDir: Options.text("runs-dir").pipe(
    Options.withPseudoName("DIR"),
    Options.withDescription("Also the run folders in DIR, logs and evidence: only delivered runs that nobody owns"),
    Options.optional,
  ),
  db: Options.text("db").pipe(
    Options.withPseudoName("FILE"),
    Options.withDescription("This database; without it the running server's, else TELEMETRY_DB_PATH"),
    Options.optional,
  ),
  dryRun: Options.boolean("dry-run").pipe(Options.withDescription("Only say what would go")),
  force: Options.boolean("force").pipe(
    Options.withDescription("Also run folders with events that no server has: they are gone for good then"),
  ),
  vacuum: Options.boolean("vacuum").pipe(
    Options.withDescription("Then write the database anew, once, so that it can shrink; no server may have it open"),
  ),
  json,
}

/** The flags of `prune` as its program takes them. */
export type PruneOptions = Command.Command.ParseConfig<typeof options>

/** Lets old runs go. */
export const prune = Command.make("prune", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./PruneProgram.js")),
    ({ program }) => program(given),
  ),
)
