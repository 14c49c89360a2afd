import * as FileSystem from "@effect/platform/FileSystem"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PriceBook } from "../services/PriceBook.js"
import { besideDatabase } from "../src/domain/PriceFilePlace.js"
import * as PriceBookTable from "./PriceBookTable.js"

const dbPath = Config.string("TELEMETRY_DB_PATH").pipe(
  Config.map((path) => path.trim()),
  Config.withDefault(""),
  Config.map((path) => (path === "" ? ".runledger/telemetry.sqlite" : path)),
)

/** The user's price file: the one that is named, which must be there then; else the one beside the database, when there is one. */
export const find = (
  named: Option.Option<string>,
): Effect.Effect<Option.Option<string>, ConfigError, FileSystem.FileSystem> =>
  Option.isSome(named)
    ? Effect.succeed(named)
    : Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const path = besideDatabase(yield* dbPath)
        return (yield* Effect.orElseSucceed(fs.exists(path), () => false)) ? Option.some(path) : Option.none()
      })

/** `PriceBookTable` with the user's file that {@link find} finds. Reads `TELEMETRY_DB_PATH` where no file is named. */
export const layer = (
  named: Option.Option<string>,
): Layer.Layer<PriceBook, PriceBookTable.PriceFileError | ConfigError, FileSystem.FileSystem> =>
  Layer.unwrapEffect(
    Effect.map(find(named), (userFile) => PriceBookTable.layer({ userFile: Option.getOrUndefined(userFile) })),
  )
