import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

const options = {
  runDir: Args.text({ name: "RUN_DIR" }).pipe(Args.withDescription("A run folder, or a run id")),
  json,
}

/** The flags of `verify` as its program takes them. */
export type VerifyOptions = Command.Command.ParseConfig<typeof options>

/** Checks a log's chain. */
export const verify = Command.make("verify", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./VerifyProgram.js")),
    ({ program }) => program(given),
  ),
)
