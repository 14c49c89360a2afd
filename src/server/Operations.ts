import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { ReceivedOperation, RunStoreService } from "../../services/RunStore.js"
import {
  ClientReport,
  CreateOperation,
  EventOperation,
  isPlain,
  MAX_OPERATIONS,
  type Operation,
  OperationResult,
  type OperationsReply,
  UpdateOperation,
} from "../domain/Operation.js"
import * as Answer from "./Answer.js"
import type { Invalid } from "./ApiErrors.js"
import { decoder, inWords, one, type Soundness } from "./Decoding.js"
import * as Preference from "./Preference.js"
import * as RequestBody from "./RequestBody.js"
import type * as Write from "./Write.js"

const decodeCreate = decoder(CreateOperation)
const decodeUpdate = decoder(UpdateOperation)
/** An event is kept as received, with what this version does not know of it. */
const decodeEvent = decoder(EventOperation, { keepUnknown: true })
const decodeReport = Schema.decodeUnknownOption(ClientReport)

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Object.getOwnPropertyDescriptor(value, name)?.value
    : undefined

const isOp = Schema.is(OperationResult.fields.op)

const decodeOperation = (value: unknown, soundness: Soundness): Either.Either<Operation, Invalid> => {
  const op = memberOf(value, "op")
  if (op === "create") return decodeCreate(value, soundness)
  if (op === "update") return decodeUpdate(value, soundness)
  if (op === "event") return decodeEvent(value, soundness)
  return Either.left(one(["body", "op"], "expected create, update or event"))
}

const refusal = (value: unknown, why: Invalid): OperationResult => {
  const op = memberOf(value, "op")
  const id = memberOf(value, "event_id")
  return {
    op: isOp(op) ? op : "unknown",
    event_id: typeof id === "string" ? id.slice(0, 255) : null,
    status: "error",
    detail: inWords(why),
  }
}

const operationsOf = (body: unknown): Either.Either<ReadonlyArray<unknown>, Invalid> => {
  const ops = memberOf(body, "ops")
  if (!Array.isArray(ops)) return Either.left(one(["body", "ops"], "expected an array of operations", "list_type"))
  return ops.length > MAX_OPERATIONS
    ? Either.left(one(["body", "ops"], `has more than ${MAX_OPERATIONS} operations; send them in batches`, "too_long"))
    : Either.right(ops)
}

/** The `event` of the n-th operation as it was written, where that is certain. */
const eventTextIn = (
  { text, scan }: RequestBody.Parsed,
  bytes: Buffer,
): ((operation: number) => string | undefined) => {
  const isPlain = text.length === bytes.length
  return (operation) => {
    const span = scan.eventAt(operation)
    if (span === undefined) return undefined
    return isPlain ? text.slice(...span) : bytes.toString("utf8", ...span)
  }
}

const received = (
  value: unknown,
  soundness: Soundness,
  eventText: () => string | undefined,
): Either.Either<ReceivedOperation, Invalid> => {
  const operation = decodeOperation(value, soundness)
  if (Either.isLeft(operation) || operation.right.op !== "event") return operation
  return Either.right({
    op: "event",
    event_id: operation.right.event_id,
    event: operation.right.event,
    text: eventText(),
  })
}

const minimal = (operations: number, results: ReadonlyArray<OperationResult>): OperationsReply => ({
  operations,
  results: results.flatMap((result, index) => (isPlain(result) ? [] : [{ index, ...result }])),
})

const told = (
  values: ReadonlyArray<unknown>,
  decoded: ReadonlyArray<Either.Either<ReceivedOperation, Invalid>>,
  applied: ReadonlyArray<OperationResult>,
): ReadonlyArray<OperationResult> => {
  const outcomes = applied[Symbol.iterator]()
  return decoded.flatMap((operation, index): ReadonlyArray<OperationResult> => {
    if (Either.isLeft(operation)) return [refusal(values[index], operation.left)]
    const outcome = outcomes.next()
    return outcome.done === true ? [] : [outcome.value]
  })
}

/** Applies the operations of a body, each understood alone, and says what became of each. */
export const apply =
  (store: RunStoreService): Write.Handler =>
  (bytes, prefer) =>
    Effect.gen(function* () {
      const body = yield* RequestBody.parsed(bytes, RequestBody.ROWS_NESTING)
      const values = yield* operationsOf(body.content)
      const report = decodeReport(memberOf(body.content, "client"))
      const eventText = eventTextIn(body, bytes)
      const decoded = values.map((value, index) => received(value, body.soundness, () => eventText(index)))
      const applied = yield* store.apply(
        decoded.flatMap((operation) => (Either.isRight(operation) ? [operation.right] : [])),
        report._tag === "Some" ? report.value : {},
      )
      const results = told(values, decoded, applied)
      const reply: OperationsReply = { results }
      return Preference.isMinimal(prefer)
        ? Answer.of(minimal(values.length, results), 200, Preference.APPLIED)
        : Answer.of(reply)
    })
