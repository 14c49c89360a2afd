import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { shown } from "../domain/Endpoint.js"
import { failure } from "./CommandError.js"
import * as Environment from "./Environment.js"

/** What is said to a person when a server does not do what it was asked. */
export interface Words {
  /** How things stand after an answer that broke off, and what to do. */
  readonly brokeOff: string
  /** The same after a refusal. */
  readonly refused: string
}

/** Asks a running server for its own work; none when it knows no such thing (404). What is posted is sent as JSON. */
export const asking = (env: Environment.Environment, words: Words) => {
  const endpoint = Environment.serverOf(env).replace(/\/+$/, "")
  const place = shown(endpoint)
  const other = (cause: unknown) =>
    failure(
      `The server at ${place} answered what this version does not understand. Use the same Runledger on both sides.`,
      cause,
    )

  return <A, I>(schema: Schema.Schema<A, I>, path: string, posted?: unknown) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const plain =
        posted === undefined
          ? HttpClientRequest.get(`${endpoint}${path}`)
          : HttpClientRequest.post(`${endpoint}${path}`).pipe(HttpClientRequest.bodyUnsafeJson(posted))
      const request = Option.match(env.telemetryToken, {
        onNone: () => plain,
        onSome: (token) => HttpClientRequest.bearerToken(plain, Redacted.value(token)),
      })
      const response = yield* Effect.mapError(client.execute(request), (cause) =>
        failure(`The server at ${place} broke off. ${words.brokeOff}`, cause),
      )
      if (response.status === 404) return Option.none<A>()
      if (response.status !== 200) {
        const text = yield* Effect.orElseSucceed(response.text, () => "")
        return yield* failure(
          `The server at ${place} answered ${response.status} (${text.slice(0, 300)}). ${words.refused}`,
        )
      }
      const body = yield* Effect.mapError(response.json, other)
      return Option.some(yield* Effect.mapError(Schema.decodeUnknown(schema)(body), other))
    }).pipe(Effect.scoped)
}
