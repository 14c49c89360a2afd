import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { RunStoreService } from "../../services/RunStore.js"
import {
  ClientReport,
  CreateOperation,
  EventOperation,
  MAX_OPERATION_BYTES,
  MAX_OPERATIONS,
  type Operation,
  OperationResult,
  type OperationsReply,
  UpdateOperation,
} from "../domain/Operation.js"
import type { Invalid } from "./ApiErrors.js"
import { decoder, inWords, one } from "./Decoding.js"
import * as RequestBody from "./RequestBody.js"

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

const decodeOperation = (value: unknown): Either.Either<Operation, Invalid> => {
  const op = memberOf(value, "op")
  if (op === "create") return decodeCreate(value)
  if (op === "update") return decodeUpdate(value)
  if (op === "event") return decodeEvent(value)
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

/** Applies the operations of the current request's body, each understood alone, and says what became of each. */
export const apply = (store: RunStoreService) =>
  Effect.gen(function* () {
    const body = yield* RequestBody.json(MAX_OPERATION_BYTES, RequestBody.ROWS_NESTING)
    const received = yield* operationsOf(body)
    const report = decodeReport(memberOf(body, "client"))
    const decoded = received.map(decodeOperation)
    const applied = yield* store.apply(
      decoded.flatMap((operation) => (Either.isRight(operation) ? [operation.right] : [])),
      report._tag === "Some" ? report.value : {},
    )
    const outcomes = applied[Symbol.iterator]()
    const results = decoded.flatMap((operation, index): ReadonlyArray<OperationResult> => {
      if (Either.isLeft(operation)) return [refusal(received[index], operation.left)]
      const outcome = outcomes.next()
      return outcome.done === true ? [] : [outcome.value]
    })
    const reply: OperationsReply = { results }
    return HttpServerResponse.unsafeJson(reply)
  })
