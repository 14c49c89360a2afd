import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Status } from "../domain/Status.js"
import { KEYS } from "./CostGroup.js"
import { json, local, runsDir } from "./ReadOptions.js"

const STATUSES: ReadonlyArray<Status> = ["running", "success", "failure", "partial", "timeout", "cancelled"]

const limit = (standard: number, rows = "rows") =>
  Options.integer("limit").pipe(
    Options.withPseudoName("N"),
    Options.withDescription(`At most so many ${rows} (${standard})`),
    Options.withDefault(standard),
    Options.filterMap((most) => (most >= 1 ? Option.some(most) : Option.none()), "--limit must be 1 or more"),
  )

const run = Options.text("run").pipe(
  Options.withPseudoName("RUN_ID"),
  Options.withDescription("Only calls of this run and of all that it started"),
  Options.optional,
)

const reading = { json, local, runsDir }

const runsOptions = {
  ...reading,
  limit: limit(20),
  status: Options.choice("status", STATUSES).pipe(Options.withDescription("Only runs that stand so"), Options.optional),
}

const showOptions = {
  runId: Args.text({ name: "ID" }).pipe(
    Args.withDescription("A run id, or of one call its event id, run id or call id; the newest run when absent"),
    Args.optional,
  ),
  ...reading,
  run: Options.text("run").pipe(
    Options.withPseudoName("RUN_ID"),
    Options.withDescription("ID is a call id of this run; without it the newest call of that id is shown"),
    Options.optional,
  ),
  full: Options.boolean("full").pipe(Options.withDescription("Of a call, its texts whole, however long")),
}

const callsOptions = {
  ...reading,
  run,
  limit: limit(100),
  failed: Options.boolean("failed").pipe(Options.withDescription("Only failed, timed-out and cancelled calls")),
  unpriced: Options.boolean("unpriced").pipe(Options.withDescription("Only calls whose price is not known")),
}

const costOptions = {
  ...reading,
  run,
  since: Options.text("since").pipe(
    Options.withPseudoName("WHEN"),
    Options.withDescription(
      "Only what started then or later: 2026-01-31 (UTC), 2026-01-31T12:00:00Z, or 30d or 12h ago",
    ),
    Options.optional,
  ),
  by: Options.choice("by", KEYS).pipe(
    Options.withDescription("What to group by (model: the one that answered); days are UTC"),
    Options.optional,
  ),
  as: Options.text("as").pipe(
    Options.withPseudoName("MODEL"),
    Options.withDescription("Also what the same tokens would have cost on this model, at today's prices"),
    Options.optional,
  ),
  duplicates: Options.boolean("duplicates").pipe(
    Options.withDescription("Questions that were paid for more than once, the dearest first"),
  ),
  limit: limit(20, "duplicates"),
}

export type RunsOptions = Command.Command.ParseConfig<typeof runsOptions>
export type ShowOptions = Command.Command.ParseConfig<typeof showOptions>
export type CallsOptions = Command.Command.ParseConfig<typeof callsOptions>
export type CostOptions = Command.Command.ParseConfig<typeof costOptions>

const programs = Effect.promise(() => import("./ReadPrograms.js"))

/** Launches and other programs' runs, newest first. */
export const runs = Command.make("runs", runsOptions, (given) => Effect.flatMap(programs, (read) => read.runs(given)))

/** One run's tree, or one call with its question and answer. */
export const show = Command.make("show", showOptions, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./ShowProgram.js")),
    ({ program }) => program(given),
  ),
)

/** LLM calls, newest first. */
export const calls = Command.make("calls", callsOptions, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./CallsProgram.js")),
    ({ program }) => program(given),
  ),
)

/** What calls cost, grouped. */
export const cost = Command.make("cost", costOptions, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./CostProgram.js")),
    ({ program }) => program(given),
  ),
)
