import * as HttpClient from "@effect/platform/HttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Endpoint from "../domain/Endpoint.js"

/** What answers at an address. */
export type Probe =
  | {
      readonly kind: "runledger"
      readonly version: string
      readonly dbPath: string
      /** Server's clock minus ours, milliseconds, to the second. */
      readonly clockSkewMs: Option.Option<number>
    }
  | { readonly kind: "other"; readonly detail: string }
  | { readonly kind: "nobody"; readonly detail: string }
  /** Nobody was asked: the address is none. */
  | { readonly kind: "mistyped"; readonly detail: string }

const Health = Schema.Struct({
  status: Schema.String,
  version: Schema.String,
  db_path: Schema.String,
  journal_mode: Schema.String,
})
const health = Schema.decodeUnknownOption(Health)

const TIMEOUT = Duration.seconds(2)

const skew = (date: string | undefined): Effect.Effect<Option.Option<number>> =>
  Effect.map(
    Effect.clockWith((clock) => clock.currentTimeMillis),
    (now) => Option.filter(Option.some(Date.parse(date ?? "") - now), Number.isFinite),
  )

const asked = (endpoint: string): Effect.Effect<Probe, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const response = yield* client.get(`${endpoint.replace(/\/+$/, "")}/health`)
    const body = yield* Effect.option(response.json)
    return yield* Option.match(Option.flatMap(body, health), {
      onNone: () => Effect.succeed<Probe>({ kind: "other", detail: `answered ${response.status} to /health` }),
      onSome: (found) =>
        Effect.map(
          skew(response.headers["date"]),
          (clockSkewMs): Probe => ({ kind: "runledger", version: found.version, dbPath: found.db_path, clockSkewMs }),
        ),
    })
  }).pipe(
    Effect.timeoutFail({
      duration: TIMEOUT,
      onTimeout: () => "accepted, but gave no answer within 2 seconds" as const,
    }),
    Effect.catchAll((problem) =>
      Effect.succeed<Probe>({ kind: "nobody", detail: typeof problem === "string" ? problem : "nobody answers" }),
    ),
  )

/** Asks `/health` once, for at most two seconds. Never fails: no address, nobody, somebody else and a Runledger server are answers. */
export const probe = (endpoint: string): Effect.Effect<Probe, never, HttpClient.HttpClient> => {
  const problem = Endpoint.problem(endpoint)
  return problem === null
    ? asked(endpoint)
    : Effect.succeed({ kind: "mistyped", detail: `${problem}; an address looks like ${Endpoint.EXAMPLE}` })
}
