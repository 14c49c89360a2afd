import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { model, provider } from "./LaunchCommand.js"
import { port } from "./SandboxCommand.js"

const options = {
  folder: Args.text({ name: "folder" }).pipe(
    Args.withDescription("What to document; this package's own folder when absent"),
    Args.optional,
  ),
  exit: Options.boolean("exit").pipe(Options.withDescription("End after the launch instead of serving until Ctrl-C")),
  provider,
  model,
  port: port.pipe(Options.withDescription("The server's port (TELEMETRY_API_PORT, 8765)"), Options.optional),
}

/** The flags of `start` as its program takes them. */
export type StartOptions = Command.Command.ParseConfig<typeof options>

/** A server and one launch: what a newcomer types first. */
export const start = Command.make("start", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./StartProgram.js")),
    ({ program }) => program(given),
  ),
)
