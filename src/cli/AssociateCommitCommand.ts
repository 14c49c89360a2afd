import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { CommitSource } from "../domain/CommitAssociation.js"
import { json } from "./ReadOptions.js"

const options = {
  runId: Args.text({ name: "RUN_ID" }).pipe(Args.withDescription("A run_id, or the event_id of one row")),
  sha: Args.text({ name: "SHA" }).pipe(Args.withDescription("The commit's hash, 7 to 40 hexadecimal digits")),
  source: Options.choice("source", CommitSource.literals).pipe(
    Options.withDescription("Who says so (manual)"),
    Options.withDefault("manual" satisfies CommitSource),
  ),
  author: Options.text("author").pipe(
    Options.withDescription("The commit's author; what is known stays when absent"),
    Options.optional,
  ),
  timestamp: Options.text("timestamp").pipe(
    Options.withPseudoName("WHEN"),
    Options.withDescription("When it was committed, such as 2026-01-31T12:00:00Z; what is known stays when absent"),
    Options.optional,
  ),
  propagate: Options.boolean("propagate").pipe(
    Options.withDescription("Also its workers, calls and whatever else it started"),
  ),
  json,
}

/** The flags of `associate-commit` as its program takes them. */
export type AssociateCommitOptions = Command.Command.ParseConfig<typeof options>

/** Says which commit a run belongs to. */
export const associateCommit = Command.make("associate-commit", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./AssociateCommitProgram.js")),
    ({ program }) => program(given),
  ),
)
