import type { Anthropic } from "@anthropic-ai/sdk"
import type { Stream } from "@anthropic-ai/sdk/streaming"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { ContentBlock, LlmErrorReason } from "../src/domain/Llm.js"
import { fromMessagesApi, none, type Usage } from "../src/domain/Usage.js"
import { versionOf } from "./AnthropicHttp.js"
import { finishReason, isEmpty, toBody } from "./AnthropicMessages.js"
import type { Broken } from "./ProviderHttp.js"
import type { ServerEvent, StreamProtocol, StreamReader, Told } from "./ProviderStream.js"
import * as ToolArguments from "./ToolArguments.js"

const Index = Schema.NonNegativeInt
const text = Schema.optionalWith(Schema.String, { default: () => "" })

const EVENTS = {
  message_start: Schema.Struct({
    message: Schema.Struct({
      model: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
      usage: Schema.optional(Schema.Unknown),
    }),
  }),
  content_block_start: Schema.Struct({
    index: Index,
    content_block: Schema.Struct({
      type: Schema.String,
      text,
      thinking: text,
      id: text,
      name: text,
      input: Schema.optional(Schema.Unknown),
    }),
  }),
  content_block_delta: Schema.Struct({
    index: Index,
    delta: Schema.Struct({ type: Schema.String, text, thinking: text, partial_json: text }),
  }),
  message_delta: Schema.Struct({
    delta: Schema.Struct({ stop_reason: Schema.optional(Schema.NullOr(Schema.String)) }),
    usage: Schema.optional(Schema.Unknown),
  }),
  error: Schema.Struct({ error: Schema.Struct({ type: text, message: text }) }),
}

const decodeBegin = Schema.decodeEither(Schema.parseJson(EVENTS.message_start))
const decodeBlock = Schema.decodeEither(Schema.parseJson(EVENTS.content_block_start))
const decodePiece = Schema.decodeEither(Schema.parseJson(EVENTS.content_block_delta))
const decodeEnding = Schema.decodeEither(Schema.parseJson(EVENTS.message_delta))
const decodeError = Schema.decodeEither(Schema.parseJson(EVENTS.error))

type Read = Either.Either<ReadonlyArray<Told>, Broken>

const NOTHING: Read = Either.right([])

const broken = (reason: LlmErrorReason, detail: string): Broken => ({ reason, detail, again: false, retryable: true })

const REASONS: Readonly<Record<string, LlmErrorReason>> = {
  overloaded_error: "Overloaded",
  rate_limit_error: "RateLimited",
  api_error: "ServerError",
  timeout_error: "Timeout",
  authentication_error: "Authentication",
  billing_error: "PermissionDenied",
  permission_error: "PermissionDenied",
  not_found_error: "NotFound",
  request_too_large: "RequestTooLarge",
  invalid_request_error: "InvalidRequest",
}
const PASSING: ReadonlyArray<LlmErrorReason> = ["Overloaded", "RateLimited", "ServerError", "Timeout"]

const failing = (data: string): Broken =>
  Either.match(decodeError(data), {
    onLeft: () => ({ reason: "ServerError", detail: `an error event: ${data}`, again: true, retryable: true }),
    onRight: ({ error }) => {
      const reason = REASONS[error.type] ?? "ServerError"
      const again = PASSING.includes(reason)
      return { reason, detail: error.message || error.type || "an error event without words", again, retryable: again }
    },
  })

/** A block as it grows. Of a tool call `text` is the JSON of its input, and `input` what its beginning had of it. */
interface Growing {
  readonly type: string
  readonly id: string
  readonly name: string
  readonly input: unknown
  text: string
}

type Members = Readonly<Record<string, unknown>>

const isMembers = (value: unknown): value is Members => typeof value === "object" && value !== null

/**
 * Counts are cumulative: what is told later takes the place of what was told before, lists as a whole, and what is not told, or
 * told as null, leaves it. A count cannot fall to nothing: a zero there says that somebody on the way does not count.
 */
const overwritten = (before: Members, told: unknown): Members => {
  if (!isMembers(told)) return before
  const next: Record<string, unknown> = { ...before }
  for (const [name, value] of Object.entries(told)) {
    const known = next[name]
    if (isMembers(value) && !Array.isArray(value)) next[name] = overwritten(isMembers(known) ? known : {}, value)
    else if (value !== null && (value !== 0 || known === undefined || known === null)) next[name] = value
  }
  return next
}

/** The input of a tool call; on the left what is wrong with it. */
const inputOf = (
  { input, name, text: json }: Growing,
  isCut: boolean,
  partial: ToolArguments.PartialParse,
): Either.Either<unknown, Broken> =>
  json.trim() === ""
    ? Either.right(input ?? {})
    : Either.mapLeft(ToolArguments.parse(json, { name, isCut, partial }), (wrong) => broken("MalformedResponse", wrong))

const contentOf = (
  blocks: ReadonlyMap<number, Growing>,
  isCut: boolean,
  partial: ToolArguments.PartialParse,
): Either.Either<ReadonlyArray<ContentBlock>, Broken> =>
  Either.all(
    [...blocks]
      .sort(([left], [right]) => left - right)
      .flatMap(([, block]): ReadonlyArray<Either.Either<ContentBlock, Broken>> => {
        if (block.type === "text") return [Either.right({ type: "text", text: block.text })]
        if (block.type !== "tool_use") return []
        const { id, name } = block
        return [Either.map(inputOf(block, isCut, partial), (input) => ({ type: "tool_use", id, name, input }))]
      }),
  )

/** Reads the events of one message of the Messages API. Events and deltas that it does not know are left aside. */
export const makeReader = (partial: ToolArguments.PartialParse): StreamReader => {
  const blocks = new Map<number, Growing>()
  let model: string | null = null
  let stopReason: string | null = null
  let counts: Members | undefined
  let isWhole = false
  /** The last word on the counts has come: without it those of the beginning are all that is sure. */
  let isCounted = false

  const used = (): Usage =>
    counts === undefined ? none : fromMessagesApi(counts, isWhole && isCounted ? "provider" : "lower_bound")

  const begin = ({ message }: typeof EVENTS.message_start.Type): Read => {
    if (counts !== undefined) return Either.left(broken("MalformedResponse", "the stream begins twice"))
    model = message.model
    counts = overwritten({}, message.usage)
    return Either.right([{ _tag: "Begun", model, usage: used() }])
  }

  const block = ({ content_block: start, index }: typeof EVENTS.content_block_start.Type): Read => {
    const { id, input, name, type } = start
    blocks.set(index, { type, id, name, input, text: start.text })
    if (type === "tool_use") return Either.right([{ _tag: "ToolInput", index, id, name, json: "" }])
    if (start.text !== "" && type === "text") return Either.right([{ _tag: "Text", index, text: start.text }])
    return start.thinking === "" ? NOTHING : Either.right([{ _tag: "Thinking", index, text: start.thinking }])
  }

  const piece = ({ delta, index }: typeof EVENTS.content_block_delta.Type): Read => {
    const grown = blocks.get(index)
    if (grown === undefined)
      return Either.left(broken("MalformedResponse", `block ${index} goes on without a beginning`))
    switch (delta.type) {
      case "text_delta":
        grown.text += delta.text
        return Either.right([{ _tag: "Text", index, text: delta.text }])
      case "thinking_delta":
        return Either.right([{ _tag: "Thinking", index, text: delta.thinking }])
      case "input_json_delta":
        grown.text += delta.partial_json
        return grown.type === "tool_use"
          ? Either.right([{ _tag: "ToolInput", index, id: grown.id, name: grown.name, json: delta.partial_json }])
          : NOTHING
      default:
        return NOTHING
    }
  }

  const ending = ({ delta, usage }: typeof EVENTS.message_delta.Type): Read => {
    stopReason = delta.stop_reason ?? stopReason
    counts = overwritten(counts ?? {}, usage)
    isCounted ||= isMembers(usage) && typeof usage["output_tokens"] === "number"
    return Either.right([{ _tag: "Used", usage: used() }])
  }

  const whole = (): Read => {
    isWhole = true
    const reason = finishReason(stopReason)
    return Either.flatMap(contentOf(blocks, reason === "length", partial), (content) => {
      const answer = { content, model, stopReason, finishReason: reason, usage: used() }
      return isEmpty(answer)
        ? Either.left(broken("EmptyResponse", "the answer has no text and no tool call"))
        : Either.right([{ _tag: "Answered", answer }])
    })
  }

  const each =
    <A>(name: string, decode: (data: string) => Either.Either<A, unknown>, then: (event: A) => Read) =>
    (data: string): Read =>
      Either.match(decode(data), {
        onLeft: () => Either.left(broken("MalformedResponse", `the stream has a ${name} that is none`)),
        onRight: then,
      })

  const readers: Readonly<Record<string, (data: string) => Read>> = {
    message_start: each("message_start", decodeBegin, begin),
    content_block_start: each("content_block_start", decodeBlock, block),
    content_block_delta: each("content_block_delta", decodePiece, piece),
    message_delta: each("message_delta", decodeEnding, ending),
    message_stop: whole,
    error: (data) => Either.left(failing(data)),
  }

  const read = ({ data, event }: ServerEvent): Read => {
    const reader = event === null ? undefined : readers[event]
    if (reader === undefined || isWhole) return NOTHING
    if (counts === undefined && event !== "message_start" && event !== "error")
      return Either.left(broken("MalformedResponse", "the stream has no beginning"))
    return reader(data)
  }

  return { read, used }
}

/** The Messages API's stream, as its SDK speaks it. */
export const streaming = (sdk: {
  readonly Stream: Pick<typeof Stream, "rawEvents">
  readonly partialParse: ToolArguments.PartialParse
}): StreamProtocol<Anthropic> => ({
  post: (client, wanted, signal) =>
    client
      .post("/v1/messages", { body: { ...toBody(wanted), stream: true }, signal, stream: true, ...versionOf(wanted) })
      .asResponse(),
  events: (response, controller) => sdk.Stream.rawEvents(response, controller),
  reader: () => makeReader(sdk.partialParse),
})
