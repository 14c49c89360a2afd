import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

const options = {
  folder: Args.text({ name: "RUNS_DIR" }).pipe(
    Args.withDescription("A runs folder, one run's folder, or a run id in the runs folder (RUNLEDGER_RUNS_DIR, runs)"),
    Args.optional,
  ),
  includeOffline: Options.boolean("include-offline").pipe(
    Options.withDescription("Also deliver runs that were recorded offline"),
  ),
  fromStart: Options.boolean("from-start").pipe(
    Options.withDescription(
      "Send every event again, for a server that was replaced or restored; asked for once, also when it is interrupted",
    ),
  ),
  force: Options.boolean("force").pipe(
    Options.withDescription(
      "Also take over runs whose owner cannot be seen from here: on another machine, in another container, or not named by the lock. Only when you know that process to be gone: two that write one log spoil it. An owner that is seen to be alive keeps its run",
    ),
  ),
  json,
}

/** The flags of `ship` as its program takes them. */
export type ShipOptions = Command.Command.ParseConfig<typeof options>

/** Delivers what is undelivered. */
export const ship = Command.make("ship", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./ShipProgram.js")),
    ({ program }) => program(given),
  ),
)
