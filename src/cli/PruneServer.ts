import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { shown } from "../domain/Endpoint.js"
import { type PruneGoal, type PrunePlace, PruneStep } from "../domain/Pruning.js"
import { failure } from "./CommandError.js"
import * as Environment from "./Environment.js"

const decode = Schema.decodeUnknown(PruneStep)

/** Whether a file is there. */
export const isThere = (file: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.exists(file), () => false))

/** The steps as a running server does them: it alone writes to its database. */
export const stepper = (env: Environment.Environment) => {
  const endpoint = Environment.serverOf(env).replace(/\/+$/, "")
  const place = shown(endpoint)
  const other = (cause: unknown) =>
    failure(
      `The server at ${place} answered what this version does not understand. Use the same Runledger on both sides.`,
      cause,
    )

  return (goal: PruneGoal, from: PrunePlace | undefined, dryRun: boolean) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const plain = HttpClientRequest.post(`${endpoint}/api/v1/maintenance/prune`).pipe(
        HttpClientRequest.bodyUnsafeJson({ goal, dry_run: dryRun, ...(from === undefined ? {} : { place: from }) }),
      )
      const request = Option.match(env.telemetryToken, {
        onNone: () => plain,
        onSome: (token) => HttpClientRequest.bearerToken(plain, Redacted.value(token)),
      })
      const response = yield* Effect.mapError(client.execute(request), (cause) =>
        failure(`The server at ${place} broke off. What is gone by now is gone whole; run this again.`, cause),
      )
      if (response.status !== 200) {
        const text = yield* Effect.orElseSucceed(response.text, () => "")
        return yield* failure(
          `The server at ${place} answered ${response.status} (${text.slice(0, 300)}). Nothing but whole steps is done; mend that and run this again.`,
        )
      }
      return yield* Effect.mapError(Effect.flatMap(response.json, decode), other)
    }).pipe(Effect.scoped)
}
