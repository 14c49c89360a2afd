import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { RunStoreService } from "../../services/RunStore.js"
import { MAX_OPERATION_BYTES } from "../domain/Operation.js"
import { RunCreate } from "../domain/Run.js"
import * as Answer from "./Answer.js"
import { type BatchReply, MAX_BATCH } from "./Api.js"
import type { Invalid } from "./ApiErrors.js"
import { decoder, inWords, one } from "./Decoding.js"
import * as Operations from "./Operations.js"
import * as RequestBody from "./RequestBody.js"
import type * as Write from "./Write.js"

const decodeRun = decoder(RunCreate)

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Records the run in a body. */
const create =
  (store: RunStoreService): Write.Handler =>
  (bytes) => {
    const body = RequestBody.parsed(bytes)
    if (Either.isLeft(body)) return Effect.fail(body.left)
    const run = decodeRun(body.right.content, body.right.soundness)
    if (Either.isLeft(run)) return Effect.fail(run.left)
    const { event_id, run_id } = run.right
    return Effect.map(store.insert([run.right]), ([outcome]) =>
      outcome === "duplicate"
        ? Answer.of({ status: "duplicate", event_id, run_id, message: "This event_id is known; nothing was changed." })
        : Answer.of({ status: "created", event_id, run_id }, 201),
    )
  }

const batchOf = (
  body: unknown,
): Either.Either<{ readonly rows: ReadonlyArray<unknown>; readonly status: number }, Invalid> => {
  const bare = Array.isArray(body)
  const rows: unknown = bare ? body : isObject(body) ? body["runs"] : undefined
  const loc = bare ? ["body"] : ["body", "runs"]
  if (!Array.isArray(rows)) return Either.left(one(loc, "expected an array of runs", "list_type"))
  if (rows.length > MAX_BATCH)
    return Either.left(one(loc, `has more than ${MAX_BATCH} runs; send them in batches`, "too_long"))
  return Either.right({ rows, status: bare ? 200 : 201 })
}

const nameOf = (row: unknown, index: number): string => {
  const id = isObject(row) ? row["event_id"] : undefined
  return typeof id === "string" && id !== "" ? id.slice(0, 255) : `#${index}`
}

/** Records the runs in a body, each understood alone. */
const createMany =
  (store: RunStoreService): Write.Handler =>
  (bytes) =>
    Effect.gen(function* () {
      const { content, soundness } = yield* RequestBody.parsed(bytes, RequestBody.ROWS_NESTING)
      const { rows, status } = yield* batchOf(content)
      const decoded = rows.map((row) => decodeRun(row, soundness))
      const outcomes = yield* store.insert(decoded.flatMap((run) => (Either.isRight(run) ? [run.right] : [])))
      const reply: BatchReply = {
        inserted: outcomes.filter((outcome) => outcome === "created").length,
        duplicates: outcomes.filter((outcome) => outcome === "duplicate").length,
        errors: decoded.flatMap((run, index) =>
          Either.isLeft(run) ? [`${nameOf(rows[index], index)}: ${inWords(run.left)}`] : [],
        ),
        total: rows.length,
      }
      return Answer.of(reply, status)
    })

/** The writes that clients send without a pause, by what is in their bodies. */
export const make = (
  store: RunStoreService,
): { readonly run: Write.Write; readonly runs: Write.Write; readonly operations: Write.Write } => ({
  run: { limit: RequestBody.MAX_BODY_BYTES, handle: create(store) },
  runs: { limit: RequestBody.MAX_BODY_BYTES, handle: createMany(store) },
  operations: { limit: MAX_OPERATION_BYTES, handle: Operations.apply(store) },
})
