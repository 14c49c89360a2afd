import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { ReceivedOperation, RunStoreService } from "../../services/RunStore.js"
import * as JsonText from "../domain/JsonText.js"
import {
  ClientReport,
  CreateOperation,
  EventOperation,
  isPlain,
  MAX_OPERATION_BYTES,
  MAX_OPERATIONS,
  type Operation,
  OperationResult,
  type OperationsReply,
  UpdateOperation,
} from "../domain/Operation.js"
import type { Invalid } from "./ApiErrors.js"
import { decoder, inWords, one, type Soundness } from "./Decoding.js"
import * as OperationsText from "./OperationsText.js"
import * as Preference from "./Preference.js"
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

interface Body {
  readonly content: unknown
  readonly soundness: Soundness
  /** The `event` of the n-th operation as it was written, where that is certain. */
  readonly eventText: (operation: number) => string | undefined
}

/** Reads a body of operations: the bytes are looked over once for depth, numbers and events, then parsed once. */
const bodyOf = (bytes: Buffer): Either.Either<Body, JsonText.JsonTextError> =>
  Either.gen(function* () {
    const scan = OperationsText.scan(bytes)
    if (scan.depth > RequestBody.ROWS_NESTING) return yield* Either.left(JsonText.tooDeep(RequestBody.ROWS_NESTING))
    const text = yield* JsonText.decodeUtf8(bytes)
    const content = yield* JsonText.parseText(text)
    const isPlain = text.length === bytes.length
    return {
      content,
      soundness: scan.depth > JsonText.MAX_NESTING || scan.hasOddNumber ? "unknown" : "sound",
      eventText: (operation) => {
        const span = scan.eventAt(operation)
        if (span === undefined) return undefined
        return isPlain ? text.slice(...span) : bytes.toString("utf8", ...span)
      },
    }
  })

const received = (body: Body, value: unknown, index: number): Either.Either<ReceivedOperation, Invalid> => {
  const operation = decodeOperation(value, body.soundness)
  if (Either.isLeft(operation) || operation.right.op !== "event") return operation
  return Either.right({
    op: "event",
    event_id: operation.right.event_id,
    event: operation.right.event,
    text: body.eventText(index),
  })
}

const minimal = (operations: number, results: ReadonlyArray<OperationResult>): OperationsReply => ({
  operations,
  results: results.flatMap((result, index) => (isPlain(result) ? [] : [{ index, ...result }])),
})

/** Applies the operations of the current request's body, each understood alone, and says what became of each. */
export const apply = (store: RunStoreService) =>
  Effect.gen(function* () {
    const bytes = yield* RequestBody.bytes(MAX_OPERATION_BYTES)
    const body = yield* Either.mapLeft(bodyOf(bytes), RequestBody.untrusted)
    const values = yield* operationsOf(body.content)
    const report = decodeReport(memberOf(body.content, "client"))
    const decoded = values.map((value, index) => received(body, value, index))
    const applied = yield* store.apply(
      decoded.flatMap((operation) => (Either.isRight(operation) ? [operation.right] : [])),
      report._tag === "Some" ? report.value : {},
    )
    const outcomes = applied[Symbol.iterator]()
    const results = decoded.flatMap((operation, index): ReadonlyArray<OperationResult> => {
      if (Either.isLeft(operation)) return [refusal(values[index], operation.left)]
      const outcome = outcomes.next()
      return outcome.done === true ? [] : [outcome.value]
    })
    if (yield* Preference.isMinimal)
      return Preference.applied(HttpServerResponse.unsafeJson(minimal(values.length, results)))
    const reply: OperationsReply = { results }
    return HttpServerResponse.unsafeJson(reply)
  })
