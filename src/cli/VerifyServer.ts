import * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type LogHead, RunReader, type RunReaderService } from "../../services/RunReader.js"
import type { AcknowledgedHead } from "../domain/Acknowledged.js"
import { isRepriced } from "../domain/CallPricing.js"
import { shown } from "../domain/Endpoint.js"
import { fileName } from "../domain/Ids.js"
import type { Received } from "../domain/Received.js"
import * as Environment from "./Environment.js"
import * as ServerProbe from "./ServerProbe.js"
import { Wiring } from "./Wiring.js"

/** What a server remembers of a run, or why it was not, or could not be, asked. */
export type ServerSide =
  | {
      readonly kind: "asked"
      readonly head: AcknowledgedHead
      /** Every event that it has, held against the log; or why they were not. */
      readonly events: Either.Either<Received, string>
      /** Calls of the run that cost there what a repricing says, and no longer what the log does. */
      readonly repriced: number
    }
  | { readonly kind: "not compared"; readonly why: string }

const TIMEOUT = Duration.seconds(5)

const notCompared = (why: string): ServerSide => ({ kind: "not compared", why })

/** Ids under which the server may know the run: those that its log tells, the folder's own first, then the folder's name. */
const namesOf = (folder: string, runIds: ReadonlyArray<string>): ReadonlyArray<string> => {
  const own = runIds.filter((runId) => fileName(runId) === folder)
  return [...new Set([...own, ...runIds, folder])]
}

interface Known extends LogHead {
  readonly runId: string
}

const firstKnown = (reader: RunReaderService, names: ReadonlyArray<string>) =>
  Effect.reduce(names, Option.none<Known>(), (found, runId) =>
    Option.isSome(found)
      ? Effect.succeed(found)
      : Effect.map(reader.logHead(runId), (head) => Option.map(head, (known) => ({ ...known, runId }))),
  )

/** A server that cannot be asked for calls, being older, has repriced none. */
const repricedCalls = (reader: RunReaderService, runId: string) =>
  reader.calls({}, runId).pipe(
    Stream.filter(({ metrics_json }) => metrics_json !== null && isRepriced(metrics_json)),
    Stream.runCount,
    Effect.orElseSucceed(() => 0),
  )

const ask = (file: string, place: string, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const reader = yield* RunReader
    const known = yield* firstKnown(reader, names)
    if (Option.isNone(known)) return notCompared(`the one at ${place} has no event of ${names.join(", ")}`)
    const { hash, events, runId } = known.value
    if (hash === null) return notCompared(`the one at ${place} knows no hash of this run's log`)
    const received = yield* wiring.received(file, reader.events(runId)).pipe(
      Effect.map(Either.right),
      Effect.catchTag("RunReaderError", (error) => Effect.succeed(Either.left(error.message))),
    )
    const head: AcknowledgedHead = { source: "server", lines: events, hash }
    return {
      kind: "asked",
      head,
      events: received,
      repriced: yield* repricedCalls(reader, runId),
    } satisfies ServerSide
  }).pipe(Effect.catchTag("RunReaderError", (error) => Effect.succeed(notCompared(error.message))))

/** Asks the server at the set endpoint, briefly, what it has of the run whose log this is. Fails only when the log cannot be read. */
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
    const place = shown(endpoint)
    const probe = yield* ServerProbe.probe(endpoint)
    if (probe.kind === "mistyped")
      return notCompared(`TELEMETRY_API_URL is wrong: ${place} is no address, ${probe.detail}`)
    if (probe.kind !== "runledger") return notCompared(`none answers at ${place} (${probe.detail})`)
    const names = namesOf(path.basename(path.dirname(file)), runIds)
    return yield* Effect.provide(
      ask(file, place, names),
      wiring.serverReader({ endpoint, token: env.telemetryToken, requestTimeout: TIMEOUT }),
    )
  })
