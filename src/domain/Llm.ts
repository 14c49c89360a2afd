import * as Schema from "effect/Schema"
import * as CanonicalJson from "./CanonicalJson.js"
import { CostStatus } from "./Cost.js"
import { Usage, UsageSource, UsageWire } from "./Usage.js"

/** A block of a message. `tool_result` answers the `tool_use` of the same id. */
export const ContentBlock = Schema.Union(
  Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
  Schema.Struct({
    type: Schema.Literal("tool_use"),
    id: Schema.String,
    name: Schema.String,
    input: Schema.Unknown,
  }),
  Schema.Struct({
    type: Schema.Literal("tool_result"),
    tool_use_id: Schema.String,
    content: Schema.String,
    is_error: Schema.optional(Schema.Boolean),
  }),
)
export type ContentBlock = typeof ContentBlock.Type

/** One turn of the conversation. */
export const Message = Schema.Struct({
  role: Schema.Literal("user", "assistant"),
  content: Schema.Union(Schema.String, Schema.Array(ContentBlock)),
})
export type Message = typeof Message.Type

const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** A tool that the model may call; `inputSchema` is a JSON Schema. */
export const Tool = Schema.Struct({
  name: Schema.NonEmptyString,
  description: Schema.optional(Schema.String),
  inputSchema: JsonSchema,
})
export type Tool = typeof Tool.Type

/** The shape that an answer must have, as a JSON Schema with a name. */
export const ResponseFormat = Schema.Struct({ name: Schema.NonEmptyString, schema: JsonSchema })
export type ResponseFormat = typeof ResponseFormat.Type

/** Everything that determines an answer. */
export const LlmRequest = Schema.Struct({
  model: Schema.NonEmptyString,
  messages: Schema.NonEmptyArray(Message),
  system: Schema.optional(Schema.String),
  tools: Schema.optional(Schema.Array(Tool)),
  /** Null leaves it to the provider; some models take none. */
  temperature: Schema.NullOr(Schema.Number),
  maxTokens: Schema.Int.pipe(Schema.positive()),
  responseFormat: Schema.optional(ResponseFormat),
})
export type LlmRequest = typeof LlmRequest.Type

// Most prompts and answers are plain texts, whose canonical JSON is known without sorting; all else goes the general way. Both
// ways give the same text, which a property test holds them to.

const json = CanonicalJson.stringify

const isPair = (record: object): boolean => {
  let members = 0
  for (const _key in record) members++
  return members === 2
}

const messageText = (message: Message): string =>
  typeof message === "object" &&
  typeof message?.content === "string" &&
  typeof message.role === "string" &&
  isPair(message)
    ? `{"content":${json(message.content)},"role":${json(message.role)}}`
    : json(message)

const blockText = (block: ContentBlock): string =>
  typeof block === "object" && block?.type === "text" && typeof block.text === "string" && isPair(block)
    ? `{"text":${json(block.text)},"type":"text"}`
    : json(block)

const listText = <A>(list: ReadonlyArray<A>, write: (member: A) => string): string => {
  if (!Array.isArray(list)) return json(list)
  let text = "["
  for (const member of list) text += text === "[" ? write(member) : `,${write(member)}`
  return `${text}]`
}

/** A member of an object, with the comma behind it; nothing when it is left out. */
const optional = (name: string, value: unknown): string => (value === undefined ? "" : `"${name}":${json(value)},`)

const isPlain = ({ maxTokens, messages, model, responseFormat, system, temperature }: LlmRequest): boolean =>
  typeof maxTokens === "number" &&
  Array.isArray(messages) &&
  typeof model === "string" &&
  responseFormat === undefined &&
  (system === undefined || typeof system === "string") &&
  (typeof temperature === "number" || temperature === null)

const promptText = (request: LlmRequest): string => {
  const { maxTokens, messages, model, responseFormat, system, temperature, tools } = request
  if (tools !== undefined || !isPlain(request))
    return json({
      max_tokens: maxTokens,
      messages,
      model,
      response_format: responseFormat,
      system,
      temperature,
      tools,
    })
  return (
    `{"max_tokens":${json(maxTokens)},"messages":${listText(messages, messageText)},"model":${json(model)},` +
    `${optional("system", system)}"temperature":${json(temperature)}}`
  )
}

/** sha256 of the canonical JSON of everything that determines the answer: the key under which an answer can be replayed. */
export const promptHash = (request: LlmRequest): string => CanonicalJson.sha256Hex(promptText(request))

/** sha256 of the canonical JSON of an answer's blocks. */
export const outputHash = (content: ReadonlyArray<ContentBlock>): string =>
  CanonicalJson.sha256Hex(listText(content, blockText))

/** Why the answer ended, in four words that every provider's own word maps to. */
export const FinishReason = Schema.Literal("stop", "length", "tool_calls", "error")
export type FinishReason = typeof FinishReason.Type

/**
 * One HTTP attempt of a call. Durations are monotonic milliseconds; the time that a reader of a stream takes for itself does
 * not count. What does not apply is left out.
 */
export const Attempt = Schema.Struct({
  n: Schema.Int.pipe(Schema.positive()),
  started_at: Schema.String,
  duration_ms: Schema.NonNegative,
  http_status: Schema.NullOr(Schema.Int),
  error_class: Schema.NullOr(Schema.String),
  retry_after_ms: Schema.NullOr(Schema.NonNegative),
  /** How long was waited before it, since the one before had ended. */
  backoff_ms: Schema.optional(Schema.NonNegative),
  request_id: Schema.optional(Schema.String),
  /** Who was asked, and for which model, where a call has a fallback. */
  provider: Schema.optional(Schema.String),
  model: Schema.optional(Schema.String),
  /** What an attempt that failed is billed for sure. The answer's own usage is the call's and stands in no attempt. */
  token_usage: Schema.optional(UsageWire),
  usage_source: Schema.optional(UsageSource),
  cost_nanousd: Schema.optional(Schema.NullOr(Schema.NonNegativeInt)),
  cost_status: Schema.optional(CostStatus),
})
export type Attempt = typeof Attempt.Type

/** Who answered: bought from a provider, made by the sandbox, or read from evidence. It decides the cost status. */
export const AnswerSource = Schema.Literal("provider", "sandbox", "replay")
export type AnswerSource = typeof AnswerSource.Type

/** An answer with its measure. `usage` is that of the answer alone; what failed attempts used stands in `attempts`. */
export const LlmResponse = Schema.Struct({
  content: Schema.Array(ContentBlock),
  usage: Usage,
  finishReason: FinishReason,
  /** The provider's own word, such as `end_turn` or `pause_turn`. */
  stopReason: Schema.NullOr(Schema.String),
  /** The model that the provider says answered. */
  model: Schema.NullOr(Schema.String),
  requestId: Schema.NullOr(Schema.String),
  /** Who answered, and at which address, where that is another than the client names. */
  provider: Schema.optional(Schema.String),
  baseUrl: Schema.optional(Schema.NullOr(Schema.String)),
  attempts: Schema.Array(Attempt),
  source: AnswerSource,
})
export type LlmResponse = typeof LlmResponse.Type

/** The text of an answer: its text blocks in order. */
export const text = (response: Pick<LlmResponse, "content">): string =>
  response.content.map((block) => (block.type === "text" ? block.text : "")).join("")

/** The tools that an answer asks for. */
export const toolCalls = (
  response: Pick<LlmResponse, "content">,
): ReadonlyArray<Extract<ContentBlock, { readonly type: "tool_use" }>> =>
  response.content.filter((block) => block.type === "tool_use")

/** What went wrong, in words that a program can branch on. */
export const LlmErrorReason = Schema.Literal(
  "Authentication",
  "PermissionDenied",
  "InvalidRequest",
  "NotFound",
  "RequestTooLarge",
  "RateLimited",
  "Overloaded",
  "ServerError",
  "Connection",
  "Timeout",
  "MalformedResponse",
  "EmptyResponse",
  "InvalidOutput",
  "NotRecorded",
)
export type LlmErrorReason = typeof LlmErrorReason.Type

/**
 * A call failed for good. `message` says what happened, to what, and what to do next, and never holds a secret; `status` is
 * the last HTTP status, null when none came; `attempts` has every HTTP attempt; `usage` is what was used for sure, in all of
 * them together; `provider` and `baseUrl` say who was asked last, where that is another than the client names.
 */
export class LlmError extends Schema.TaggedError<LlmError>()("LlmError", {
  reason: LlmErrorReason,
  message: Schema.String,
  retryable: Schema.Boolean,
  status: Schema.NullOr(Schema.Int),
  requestId: Schema.NullOr(Schema.String),
  attempts: Schema.Array(Attempt),
  usage: Usage,
  source: AnswerSource,
  provider: Schema.optional(Schema.String),
  baseUrl: Schema.optional(Schema.NullOr(Schema.String)),
  cause: Schema.optional(Schema.Defect),
}) {}
