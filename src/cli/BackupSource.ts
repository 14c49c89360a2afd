import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { shown } from "../domain/Endpoint.js"
import type { BackupOptions } from "./BackupCommand.js"
import { usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import { DEFAULT_DB_PATH } from "./ServeProgram.js"
import * as ServerProbe from "./ServerProbe.js"
import { Wiring } from "./Wiring.js"

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/

/** Whether two addresses lead to one server, of which the second is how it tells of itself on this machine. */
const isSame = (endpoint: string, told: string): boolean => {
  const [asked, own] = [new URL(endpoint), new URL(told)]
  if (asked.port !== own.port) return false
  return LOOPBACK.test(asked.hostname) || asked.hostname === own.hostname
}

/** The file of the server that answers, once it is certain that this machine's file of that name is the one that it serves. */
const ofServer = (endpoint: string, dbPath: string, wanted: Option.Option<string>) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const fs = yield* FileSystem.FileSystem
    const real = (file: string) => Effect.orElseSucceed(fs.realPath(file), () => file)
    const at = shown(endpoint)
    const [file, named] = [yield* real(dbPath), yield* Effect.transposeMapOption(wanted, real)]
    if (Option.isSome(named) && named.value !== file) {
      return yield* usage(
        `TELEMETRY_DB_PATH names ${named.value}, but the server at ${at} serves ${dbPath}. Say which one is to be copied: --db ${named.value}, or --db ${dbPath} where that file is.`,
      )
    }
    const told = yield* wiring.serverOfDatabase(file)
    if (Option.exists(told, (url) => isSame(endpoint, url))) return file
    return yield* usage(
      `The server at ${at} serves ${dbPath}, and no file of that name on this machine is certain to be that one. Run runledger backup on the server's machine, or name the file here with --db.`,
    )
  })

/**
 * The database that is to be copied: the one that --db names, else that of the server that answers. When none answers, the one
 * of the settings, unless an address was set whose server might have another one. Fails rather than copy a database that the
 * server does not use.
 */
export const find = (options: Pick<BackupOptions, "db">) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    if (Option.isSome(options.db)) return path.resolve(options.db.value)
    const env = yield* Environment.load
    const wanted = Option.map(env.dbPath, (file) => path.resolve(file))
    const endpoint = Environment.serverOf(env)
    const probe = yield* ServerProbe.probe(endpoint)
    if (probe.kind === "runledger") return yield* ofServer(endpoint, probe.dbPath, wanted)
    if (Option.isSome(env.telemetryUrl) && Option.isNone(wanted)) {
      return yield* usage(
        `No Runledger server at ${shown(endpoint)} (${probe.detail}) says which database it uses. Start it, or name the file with --db or TELEMETRY_DB_PATH.`,
      )
    }
    return Option.getOrElse(wanted, () => path.resolve(DEFAULT_DB_PATH))
  })
