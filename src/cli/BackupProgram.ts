import * as Path from "@effect/platform/Path"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as ByteSize from "../domain/ByteSize.js"
import { inert } from "./Ansi.js"
import type { BackupOptions } from "./BackupCommand.js"
import * as BackupSource from "./BackupSource.js"
import { failure } from "./CommandError.js"
import * as Figures from "./Figures.js"
import { printJson } from "./Reading.js"
import { Wiring } from "./Wiring.js"

/** `backup`: a checked copy of the database, whether or not a server writes to it meanwhile. */
export const program = (options: BackupOptions) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const path = yield* Path.Path
    const from = yield* BackupSource.find(options)
    const to = path.resolve(options.file)
    const copied = yield* Effect.mapError(wiring.backup({ from, to, force: options.force }), (error) =>
      failure(error.message, error),
    )
    yield* options.json
      ? printJson({ database: from, ...copied })
      : Console.log(
          `${inert(copied.file)}  ${ByteSize.format(copied.bytes)}, ${Figures.plural(copied.rows, "row")} and ${Figures.plural(copied.events, "event")} of ${inert(from)}, checked.\nIt is a database like any other: runledger serve --db ${inert(copied.file)}`,
        )
  })
