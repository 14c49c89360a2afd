import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

const options = {
  runDir: Args.text({ name: "RUN_DIR" }).pipe(Args.withDescription("A run folder, or a run id")),
  local: Options.boolean("local").pipe(Options.withDescription("Compare with no server")),
  json,
}

/** The flags of `verify` as its program takes them. */
export type VerifyOptions = Command.Command.ParseConfig<typeof options>

/** Checks a log's chain, and against what was acknowledged of it. */
export const verify = Command.make("verify", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./VerifyProgram.js")),
    ({ program }) => program(given),
  ),
)
