import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { RunReader } from "../../services/RunReader.js"
import { CommitHash } from "../domain/CommitAssociation.js"
import { shown } from "../domain/Endpoint.js"
import { parseMillis } from "../domain/Timestamp.js"
import { inert } from "./Ansi.js"
import type { AssociateCommitOptions } from "./AssociateCommitCommand.js"
import { failure, usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import { printJson, readFailed } from "./Reading.js"
import { Wiring } from "./Wiring.js"

const TIMEOUT = Duration.seconds(60)
const LONGEST_DETAIL = 300

const isCommitHash = Schema.is(CommitHash)

const Reply = Schema.Struct({
  status: Schema.Literal("success"),
  event_id: Schema.String,
  run_id: Schema.String,
  commit_hash: Schema.String,
})
const decodeReply = Schema.decodeUnknown(Reply)

const checked = (options: AssociateCommitOptions) => {
  if (!isCommitHash(options.sha))
    return usage(`A commit's hash has 7 to 40 hexadecimal digits; ${options.sha} has not.`)
  if (Option.exists(options.timestamp, (text) => parseMillis(text) === undefined)) {
    return usage("--timestamp wants an instant with its zone, such as 2026-01-31T12:00:00Z.")
  }
  return Effect.void
}

const bodyOf = ({ sha, source, author, timestamp }: AssociateCommitOptions) => ({
  commit_hash: sha,
  commit_source: source,
  ...(Option.isSome(author) ? { commit_author: author.value } : {}),
  ...(Option.isSome(timestamp) ? { commit_timestamp: timestamp.value } : {}),
})

const refused = (place: string, response: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(
    Effect.orElseSucceed(response.text, () => ""),
    (text) => failure(`${place} answered ${response.status} (${text.slice(0, LONGEST_DETAIL)}).`),
  )

const rowsIn = (response: HttpClientResponse.HttpClientResponse): number =>
  Number(response.headers["x-total-count"] ?? "1")

/** `associate-commit`: by the server, which alone writes its database. */
export const program = (options: AssociateCommitOptions) =>
  Effect.gen(function* () {
    yield* checked(options)
    const wiring = yield* Wiring
    const env = yield* Environment.load
    const endpoint = Environment.serverOf(env).replace(/\/+$/, "")
    const place = shown(endpoint)
    const reader = Effect.provide(RunReader, wiring.serverReader({ endpoint, token: env.telemetryToken }))
    const run = yield* Effect.flatMap(reader, ({ get }) => get(options.runId)).pipe(Effect.mapError(readFailed))
    if (Option.isNone(run))
      return yield* usage(`The server at ${place} knows no run ${options.runId}. List them with "runledger runs".`)
    const client = yield* HttpClient.HttpClient
    const path = `/api/v1/runs/${encodeURIComponent(run.value.event_id)}/associate-commit?propagate=${options.propagate}`
    const request = HttpClientRequest.post(`${endpoint}${path}`).pipe(
      HttpClientRequest.bodyUnsafeJson(bodyOf(options)),
      Option.match(env.telemetryToken, {
        onNone: () => (asked: HttpClientRequest.HttpClientRequest) => asked,
        onSome: (token) => HttpClientRequest.bearerToken(Redacted.value(token)),
      }),
    )
    const response = yield* client.execute(request).pipe(
      Effect.timeout(TIMEOUT),
      Effect.mapError((error) => failure(`The server at ${place} did not answer. Ask again; it harms nothing.`, error)),
    )
    if (response.status !== 200) return yield* refused(place, response)
    const reply = yield* Effect.flatMap(response.json, decodeReply).pipe(
      Effect.mapError((error) =>
        failure(`${place} speaks another version of the API. Use the same Runledger on both sides.`, error),
      ),
    )
    const rows = rowsIn(response)
    if (options.json) return yield* printJson({ ...reply, rows })
    const others = rows > 1 ? ` and ${rows - 1} other row${rows === 2 ? "" : "s"} below it` : ""
    yield* Console.log(inert(`${reply.run_id}${others}: commit ${reply.commit_hash}`))
  }).pipe(Effect.scoped)
