import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type PruneGoal, type PrunePlace, PruneStep } from "../domain/Pruning.js"
import { failure } from "./CommandError.js"
import type * as Environment from "./Environment.js"
import * as ServerCall from "./ServerCall.js"

/** Whether a file is there. */
export const isThere = (file: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.exists(file), () => false))

const WORDS: ServerCall.Words = {
  brokeOff: "What is gone by now is gone whole; run this again.",
  refused: "Nothing but whole steps is done; mend that and run this again.",
}

/** The steps as a running server does them: it alone writes to its database. */
export const stepper = (env: Environment.Environment) => {
  const ask = ServerCall.asking(env, WORDS)
  return (goal: PruneGoal, from: PrunePlace | undefined, dryRun: boolean) =>
    Effect.flatMap(
      ask(PruneStep, "/api/v1/maintenance/prune", {
        goal,
        dry_run: dryRun,
        ...(from === undefined ? {} : { place: from }),
      }),
      Option.match({
        onSome: Effect.succeed,
        onNone: () =>
          failure("The server cannot prune: it is of an older version. Use the same Runledger on both sides."),
      }),
    )
}
