import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { RunStoreService } from "../../services/RunStore.js"
import { CommitAssociation } from "../domain/CommitAssociation.js"
import { type Invalid, Refused } from "./ApiErrors.js"
import type { AssociateQuery } from "./ApiQueries.js"
import { decoder, one } from "./Decoding.js"
import * as RequestBody from "./RequestBody.js"

const decode = decoder(CommitAssociation)

const WORDS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
])

const flag = (name: string, text: string | undefined): Either.Either<boolean, Invalid> =>
  text === undefined
    ? Either.right(false)
    : Either.fromNullable(WORDS.get(text.trim().toLowerCase()), () =>
        one(["query", name], "expected true or false", "bool_parsing"),
      )

/** Gives a run, by event_id, to a commit. How many rows were is in `X-Total-Count`. */
export const associate = (store: RunStoreService, eventId: string, query: AssociateQuery) =>
  Effect.gen(function* () {
    const propagate = yield* flag("propagate", query.propagate)
    const commit = yield* decode(yield* RequestBody.json(RequestBody.MAX_BODY_BYTES))
    const associated = yield* store.associateCommit(eventId, commit, { propagate })
    if (Option.isNone(associated)) {
      return yield* new Refused({ status: 404, detail: `There is no run with the event_id ${eventId}` })
    }
    const { runId, rows } = associated.value
    return HttpServerResponse.unsafeJson(
      { status: "success", event_id: eventId, run_id: runId, commit_hash: commit.commit_hash },
      { headers: { "x-total-count": String(rows) } },
    )
  })
