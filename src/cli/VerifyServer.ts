import * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { RunReader, type RunReaderService } from "../../services/RunReader.js"
import type { AcknowledgedHead } from "../domain/Acknowledged.js"
import { fileName } from "../domain/Ids.js"
import * as Environment from "./Environment.js"
import * as ServerProbe from "./ServerProbe.js"
import { Wiring } from "./Wiring.js"

/** What a server remembers of a run, or why it was not, or could not be, asked. */
export type ServerSide =
  | { readonly kind: "asked"; readonly endpoint: string; readonly head: AcknowledgedHead }
  | { readonly kind: "not compared"; readonly why: string }

const TIMEOUT = Duration.seconds(5)

const notCompared = (why: string): ServerSide => ({ kind: "not compared", why })

/** Ids under which the server may know the run: those that its log tells, the folder's own first, then the folder's name. */
const namesOf = (folder: string, runIds: ReadonlyArray<string>): ReadonlyArray<string> => {
  const own = runIds.filter((runId) => fileName(runId) === folder)
  return [...new Set([...own, ...runIds, folder])]
}

type Known = Option.Option.Value<Effect.Effect.Success<ReturnType<RunReaderService["logHead"]>>>

const firstKnown = (reader: RunReaderService, names: ReadonlyArray<string>) =>
  Effect.reduce(names, Option.none<Known>(), (found, name) =>
    Option.isSome(found) ? Effect.succeed(found) : reader.logHead(name),
  )

const ask = (endpoint: string, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const known = yield* firstKnown(yield* RunReader, names)
    if (Option.isNone(known)) return notCompared(`the one at ${endpoint} has no event of ${names.join(", ")}`)
    const { hash, events } = known.value
    if (hash === null) return notCompared(`the one at ${endpoint} knows no hash of this run's log`)
    return { kind: "asked", endpoint, head: { source: "server", lines: events, hash } } satisfies ServerSide
  }).pipe(Effect.catchAll((error) => Effect.succeed(notCompared(error.message))))

/** Asks the server at the set endpoint, briefly, what it has of the run in `folder`. Never fails. */
export const remembered = (
  file: string,
  runIds: ReadonlyArray<string>,
  env: Environment.Environment,
  options: { readonly local: boolean },
) =>
  Effect.gen(function* () {
    if (options.local) return notCompared("--local")
    if (Option.contains(env.telemetryOffline, true)) return notCompared("TELEMETRY_OFFLINE")
    const wiring = yield* Wiring
    const path = yield* Path.Path
    const endpoint = Environment.serverOf(env)
    const probe = yield* ServerProbe.probe(endpoint)
    if (probe.kind !== "runledger") return notCompared(`none answers at ${endpoint} (${probe.detail})`)
    const names = namesOf(path.basename(path.dirname(file)), runIds)
    return yield* Effect.provide(
      ask(endpoint, names),
      wiring.serverReader({ endpoint, token: env.telemetryToken, requestTimeout: TIMEOUT }),
    )
  })
