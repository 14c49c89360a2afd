import type * as HttpClient from "@effect/platform/HttpClient"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { database } from "./DoctorDatabase.js"
import * as DoctorDisk from "./DoctorDisk.js"
import type { Finding } from "./DoctorFinding.js"
import * as DoctorRuns from "./DoctorRuns.js"
import * as DoctorServer from "./DoctorServer.js"
import * as DoctorSetup from "./DoctorSetup.js"
import { type Environment, runsDirOf, serverOf } from "./Environment.js"
import * as ServerProbe from "./ServerProbe.js"
import { type Platform, Wiring } from "./Wiring.js"

const SHIP = "runledger ship"

/** Looks at everything that a launch and a server need, and at what runs left behind. Never fails; changes nothing. */
export const examine = (
  env: Environment,
  nodeVersion: string,
): Effect.Effect<ReadonlyArray<Finding>, never, Wiring | Platform | HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const { version } = yield* Wiring
    const path = yield* Path.Path
    const runsDir = runsDirOf(Option.none(), env)
    const folder = path.resolve(runsDir)
    const endpoint = serverOf(env)
    const probe = yield* ServerProbe.probe(endpoint)
    const runs = yield* DoctorRuns.patients(env, runsDir)
    return [
      DoctorSetup.node(nodeVersion),
      DoctorSetup.runledger(version),
      yield* DoctorSetup.sqlite,
      yield* DoctorDisk.writable(folder),
      yield* DoctorDisk.disk(folder),
      DoctorServer.server(endpoint, probe, version),
      ...(yield* DoctorServer.token(endpoint, probe, env.telemetryToken)),
      yield* database(env, probe),
      yield* DoctorServer.clock(probe, DoctorRuns.newestAt(runs)),
      ...DoctorRuns.findings(runs, SHIP),
      DoctorSetup.key(env),
      yield* DoctorSetup.prices(env),
    ]
  })
