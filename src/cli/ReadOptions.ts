import * as Options from "@effect/cli/Options"

export const json = Options.boolean("json").pipe(Options.withDescription("Print one JSON document on stdout"))

export const runsDir = Options.text("runs-dir").pipe(
  Options.withPseudoName("DIR"),
  Options.withDescription("Where runs are written (RUNLEDGER_RUNS_DIR, runs)"),
  Options.optional,
)

export const local = Options.boolean("local").pipe(
  Options.withDescription("Read the run folders instead of the server"),
)
