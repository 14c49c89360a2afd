import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type {
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
  ChatCompletionTool,
} from "openai/resources/chat/completions/completions"
import type { ContentBlock, LlmRequest } from "../src/domain/Llm.js"
import { finishReason } from "../src/domain/StopWord.js"
import { fromChatCompletions, type Usage } from "../src/domain/Usage.js"
import { toldInstead } from "./OpenAiFailure.js"
import { type DecodedAnswer, noAnswer, type Undecodable } from "./ProviderHttp.js"
import * as ToolArguments from "./ToolArguments.js"

/** The member that limits the answer: the newer one counts reasoning too, the older one is what most other servers know. */
export type MaxTokensField = "max_tokens" | "max_completion_tokens"

type ToolUse = Extract<ContentBlock, { readonly type: "tool_use" }>

const toCall = ({ id, input, name }: ToolUse): ChatCompletionMessageFunctionToolCall => ({
  id,
  type: "function",
  function: { name, arguments: JSON.stringify(input) ?? "{}" },
})

/** One text is a text, which every server takes; several stay apart. */
const contentOf = (texts: ReadonlyArray<string>) => {
  const [only = ""] = texts
  return texts.length > 1 ? texts.map((text) => ({ type: "text" as const, text })) : only
}

const said = (role: "user" | "assistant", texts: ReadonlyArray<string>): ReadonlyArray<ChatCompletionMessageParam> => {
  if (texts.length === 0) return []
  return role === "user" ? [{ role, content: contentOf(texts) }] : [{ role, content: contentOf(texts) }]
}

const toResult = (block: ContentBlock): ReadonlyArray<ChatCompletionMessageParam> => {
  if (block.type !== "tool_result") return []
  const content = block.is_error === true ? `Error: ${block.content}` : block.content
  return [{ role: "tool", tool_call_id: block.tool_use_id, content }]
}

/**
 * One turn as the messages that the API has for it: results of tools are messages of their own, which come before the words
 * said with them, and calls of tools stand in the assistant's. An error is told in words: there is no other way.
 */
const toMessages = ({ content, role }: LlmRequest["messages"][number]): ReadonlyArray<ChatCompletionMessageParam> => {
  if (typeof content === "string") return said(role, [content])
  const texts = content.flatMap((block) => (block.type === "text" ? [block.text] : []))
  const calls = content.flatMap((block) => (block.type === "tool_use" ? [toCall(block)] : []))
  return [
    ...content.flatMap(toResult),
    ...(calls.length === 0
      ? said(role, texts)
      : [{ role: "assistant" as const, content: texts.length === 0 ? null : contentOf(texts), tool_calls: calls }]),
  ]
}

const toTool = (tool: NonNullable<LlmRequest["tools"]>[number]): ChatCompletionTool => ({
  type: "function",
  function: {
    name: tool.name,
    ...(tool.description === undefined ? {} : { description: tool.description }),
    parameters: { ...tool.inputSchema },
  },
})

const NAME_LIMIT = 64

const toFormat = ({ name, schema }: NonNullable<LlmRequest["responseFormat"]>) => ({
  type: "json_schema" as const,
  json_schema: { name: name.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, NAME_LIMIT), schema: { ...schema } },
})

/** What goes over the wire for a request; what the request leaves out is left out. */
export const toBody = (
  request: LlmRequest,
  maxTokensField: MaxTokensField,
): ChatCompletionCreateParamsNonStreaming => ({
  model: request.model,
  [maxTokensField]: request.maxTokens,
  messages: [
    ...(request.system === undefined ? [] : [{ role: "system" as const, content: request.system }]),
    ...request.messages.flatMap(toMessages),
  ],
  ...(request.tools === undefined || request.tools.length === 0 ? {} : { tools: request.tools.map(toTool) }),
  ...(request.temperature === null ? {} : { temperature: request.temperature }),
  ...(request.responseFormat === undefined ? {} : { response_format: toFormat(request.responseFormat) }),
})

const nullable = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

const Called = Schema.Struct({ name: Schema.String, arguments: Schema.optional(Schema.Unknown) })
const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })
const OtherPart = Schema.Struct({ type: Schema.String.pipe(Schema.filter((type) => type !== "text")) })

/** What is said: a text, or parts, of which those that are text count. */
export const Said = nullable(Schema.Union(Schema.String, Schema.Array(Schema.Union(TextPart, OtherPart))))

const Message = Schema.Struct({
  content: Said,
  refusal: nullable(Schema.String),
  tool_calls: nullable(Schema.Array(Schema.Struct({ id: nullable(Schema.String), function: Called }))),
  function_call: nullable(Called),
})
type Message = typeof Message.Type

const Completion = Schema.Struct({
  choices: Schema.NonEmptyArray(Schema.Struct({ message: Message, finish_reason: nullable(Schema.String) })),
  model: nullable(Schema.String),
})

const decodeCompletion = Schema.decodeUnknownEither(Completion)
const decodeJson = Schema.decodeEither(Schema.parseJson(Schema.Unknown))

/** A tool call's input: the JSON of its arguments, which some servers give as what it stands for. No arguments are none. */
export const inputOf = (given: unknown, reading: ToolArguments.Reading): Either.Either<unknown, string> => {
  if (typeof given !== "string") return Either.right(given ?? {})
  return given.trim() === "" ? Either.right({}) : ToolArguments.parse(given, reading)
}

/** The text of what is said. */
export const textOf = (content: string | ReadonlyArray<object> | null | undefined): string =>
  typeof content === "string"
    ? content
    : (content ?? []).map((part) => ("text" in part && typeof part.text === "string" ? part.text : "")).join("")

const wordsOf = ({ content, refusal }: Message): string => textOf(content) || (refusal ?? "")

const callsOf = (
  { function_call, tool_calls }: Message,
  reading: Omit<ToolArguments.Reading, "name">,
): Either.Either<ReadonlyArray<ToolUse>, string> =>
  Either.all(
    [...(tool_calls ?? []), ...(function_call == null ? [] : [{ id: null, function: function_call }])].map(
      ({ id, function: { arguments: given, name } }, index) =>
        Either.map(inputOf(given, { ...reading, name }), (input): ToolUse => {
          return { type: "tool_use", id: id || `call_${index + 1}`, name, input }
        }),
    ),
  )

/** An answer, read at once or put together from a stream, in the domain's words. */
export const answerOf = (parts: {
  readonly content: ReadonlyArray<ContentBlock>
  readonly refused: boolean
  readonly finish: string | null
  readonly model: string | null
  readonly usage: Usage
}): DecodedAnswer => {
  const { content, model, usage } = parts
  const stopReason = parts.refused ? "refusal" : parts.finish
  const end = finishReason(stopReason)
  // A call of a forced tool ends with `stop`, and some servers end every call so.
  const isCall = end === "stop" && content.some((block) => block.type === "tool_use")
  return { content, model, stopReason, finishReason: isCall ? "tool_calls" : end, usage }
}

/** Whether an answer ended where it was cut. */
export const isCut = (finish: string | null): boolean => finishReason(finish) === "length"

/** A tool call that cannot be made of an answer that is whole otherwise. */
export const malformed = (detail: string, usage: Usage): Undecodable => ({ ...noAnswer(detail, usage), detail })

const completed = (
  { choices: [first], model }: typeof Completion.Type,
  usage: Usage,
  partial: ToolArguments.PartialParse,
): Either.Either<DecodedAnswer, Undecodable> => {
  const { message } = first
  const finish = first.finish_reason ?? null
  const text = wordsOf(message)
  return Either.mapBoth(callsOf(message, { isCut: isCut(finish), partial }), {
    onLeft: (wrong) => malformed(wrong, usage),
    onRight: (calls) =>
      answerOf({
        content: [...(text === "" ? [] : [{ type: "text" as const, text }]), ...calls],
        refused: (message.refusal ?? "") !== "",
        ...{ finish, model: model || null, usage },
      }),
  })
}

const notCompleted = (response: unknown, usage: Usage): Undecodable => {
  const told =
    typeof response === "object" && response !== null ? toldInstead(Reflect.get(response, "error")) : undefined
  return told === undefined ? noAnswer("JSON that is no chat completion", usage) : { ...told, usage }
}

/**
 * Reads an answer's body; on the left what is wrong with it, and what it used all the same. A refusal's words are the answer's,
 * and it ends with `refusal`, a word that the API has for the message but not for the end.
 */
export const decode = (body: string, partial: ToolArguments.PartialParse): Either.Either<DecodedAnswer, Undecodable> =>
  Either.flatMap(
    Either.mapLeft(decodeJson(body), () => noAnswer("text that is not JSON")),
    (response) => {
      const usage = fromChatCompletions(response)
      return Either.flatMap(
        Either.mapLeft(decodeCompletion(response), () => notCompleted(response, usage)),
        (completion) => completed(completion, usage, partial),
      )
    },
  )

/** An answer without a word and without a tool call. One that was filtered or refused may be; any other is a failure. */
export const isEmpty = ({ content, finishReason }: DecodedAnswer): boolean =>
  finishReason !== "error" && content.every((block) => block.type === "text" && block.text.trim() === "")
