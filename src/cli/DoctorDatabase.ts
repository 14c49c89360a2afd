import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fail, ok, warn } from "./DoctorFinding.js"
import type { Environment } from "./Environment.js"
import { DEFAULT_DB_PATH } from "./ServeProgram.js"
import type * as ServerProbe from "./ServerProbe.js"
import { Wiring } from "./Wiring.js"

const MEND =
  "Stop every server on it and keep a copy. Then name another file with TELEMETRY_DB_PATH, and send the runs there anew with runledger ship --from-start: every event still stands in the logs of the runs folder."

const KEEPS_SIZE = "it was made by an older version and does not shrink when runs are removed"
const VACUUM =
  "With no server on it, runledger prune --vacuum writes it anew, once; that takes as much free space again."

/** SQLite's full check of the server's database where it stands on this machine; a server that answers keeps its own to itself. */
export const database = (env: Environment, probe: ServerProbe.Probe) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const wiring = yield* Wiring
    const file = path.resolve(Option.getOrElse(env.dbPath, () => DEFAULT_DB_PATH))
    const there = yield* Effect.orElseSucceed(fs.exists(file), () => false)
    if (!there) return ok("database", `there is none at ${file}; "runledger serve" makes it`)
    if (probe.kind === "runledger" && path.resolve(probe.dbPath) === file) {
      return ok("database", `${file} is in use by the server; stop it to have every page checked`)
    }
    return yield* Effect.match(wiring.checkDatabase(file), {
      onFailure: (error) => warn("database", error.message, "Check the file's permissions, and that it is whole."),
      onSuccess: ({ problems, canShrink }) => {
        if (problems.length > 0) return fail("database", `${file} is damaged: ${problems.slice(0, 3).join("; ")}`, MEND)
        const holds = `${file}: every page, index, constraint and roll-up holds`
        return canShrink ? ok("database", holds) : warn("database", `${holds}; ${KEEPS_SIZE}`, VACUUM)
      },
    })
  })
