import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

const options = {
  file: Args.text({ name: "FILE" }).pipe(Args.withDescription("The new file")),
  db: Options.text("db").pipe(
    Options.withPseudoName("DB"),
    Options.withDescription(
      "The database, server or not (default: that of the server that answers at TELEMETRY_API_URL; without one TELEMETRY_DB_PATH, .runledger/telemetry.sqlite)",
    ),
    Options.optional,
  ),
  force: Options.boolean("force").pipe(Options.withDescription("Replace a file that is there")),
  json,
}

/** The flags of `backup` as its program takes them. */
export type BackupOptions = Command.Command.ParseConfig<typeof options>

/** Copies the database while it is in use. */
export const backup = Command.make("backup", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./BackupProgram.js")),
    ({ program }) => program(given),
  ),
)
