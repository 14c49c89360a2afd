import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { port } from "./SandboxCommand.js"

const options = {
  host: Options.text("host").pipe(
    Options.withPseudoName("HOST"),
    Options.withDescription("Where to listen (TELEMETRY_API_HOST, 127.0.0.1); another than loopback needs a token"),
    Options.optional,
  ),
  port: port.pipe(Options.withDescription("TELEMETRY_API_PORT, 8765; 0 takes a free one"), Options.optional),
  db: Options.text("db").pipe(
    Options.withPseudoName("FILE"),
    Options.withDescription("The SQLite file (TELEMETRY_DB_PATH, .runledger/telemetry.sqlite)"),
    Options.optional,
  ),
}

/** The flags of `serve` as its program takes them. */
export type ServeOptions = Command.Command.ParseConfig<typeof options>

/** The server, until Ctrl-C. */
export const serve = Command.make("serve", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./ServeProgram.js")),
    ({ program }) => program(given),
  ),
)
