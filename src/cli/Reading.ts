import type * as HttpClient from "@effect/platform/HttpClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { RunReader } from "../../services/RunReader.js"
import { shown } from "../domain/Endpoint.js"
import { type CommandError, failure } from "./CommandError.js"
import * as Environment from "./Environment.js"
import * as ServerProbe from "./ServerProbe.js"
import { type Platform, Wiring } from "./Wiring.js"

/** Which runs a reading command looks at. */
export interface Source {
  readonly local: boolean
  readonly runsDir: Option.Option<string>
}

const why = (probe: ServerProbe.Probe, endpoint: string): Option.Option<string> => {
  switch (probe.kind) {
    case "runledger":
      return Option.none()
    case "other":
      return Option.some(`What listens at ${endpoint} is not a Runledger server (${probe.detail})`)
    case "mistyped":
      return Option.some(`TELEMETRY_API_URL is wrong: ${endpoint} is no address, ${probe.detail}`)
    case "nobody":
      return Option.some(`No Runledger server at ${endpoint} (${probe.detail})`)
  }
}

/**
 * Gives a command its reader: the server's, or the run folders' with `--local` and when no server answers, which is said
 * on stderr. Reading problems become command errors.
 */
export const withReader = <A, E, R>(
  source: Source,
  program: Effect.Effect<A, E, R>,
): Effect.Effect<A, E | CommandError, Exclude<R, RunReader> | Wiring | Platform | HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const env = yield* Environment.load
    const folder = Environment.runsDirOf(source.runsDir, env)
    const folders = wiring.folderReader(folder)
    if (source.local) return yield* Effect.provide(program, folders)
    const endpoint = Environment.serverOf(env)
    const reason = why(yield* ServerProbe.probe(endpoint), shown(endpoint))
    if (Option.isNone(reason)) {
      return yield* Effect.provide(program, wiring.serverReader({ endpoint, token: env.telemetryToken }))
    }
    yield* Effect.logInfo(`${reason.value}; reading the run folders in ${folder} instead.`)
    return yield* Effect.provide(program, folders)
  })

/** JSON lets these stand as they are, and some terminals obey them. */
const UNESCAPED = /[\u007f-\u009f]/g

/** One JSON document on stdout, every control character in it escaped. */
export const printJson = (document: unknown): Effect.Effect<void> =>
  Console.log(
    JSON.stringify(document, null, 2).replace(UNESCAPED, (found) => `\\u00${found.charCodeAt(0).toString(16)}`),
  )

/** A reader's error as a failed command. */
export const readFailed = (error: { readonly message: string }): CommandError => failure(error.message, error)

/** Where the current reader reads, in words. */
export const sourceInWords = Effect.map(RunReader, ({ source }) =>
  source.kind === "server" ? `the server at ${source.location}` : `the run folders in ${source.location}`,
)
