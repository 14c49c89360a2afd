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
import type { DecodedAnswer } from "./ProviderHttp.js"

/** The member that limits the answer: the newer one counts reasoning too, the older one is what most other servers know. */
export type MaxTokensField = "max_tokens" | "max_completion_tokens"

type ToolUse = Extract<ContentBlock, { readonly type: "tool_use" }>

const toCall = ({ id, input, name }: ToolUse): ChatCompletionMessageFunctionToolCall => ({
  id,
  type: "function",
  // Arguments that came as no JSON go back as they came.
  function: { name, arguments: typeof input === "string" ? input : (JSON.stringify(input) ?? "{}") },
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

const Message = Schema.Struct({
  content: nullable(Schema.Union(Schema.String, Schema.Array(Schema.Union(TextPart, OtherPart)))),
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

/** A tool call's input: the JSON of its arguments, or the very text when that is no JSON. No arguments are none. */
export const inputOf = (given: unknown): unknown => {
  if (typeof given !== "string") return given ?? {}
  return given.trim() === "" ? {} : Either.getOrElse(decodeJson(given), () => given)
}

const wordsOf = ({ content, refusal }: Message): string => {
  const words =
    typeof content === "string" ? content : (content ?? []).map((part) => ("text" in part ? part.text : "")).join("")
  return words === "" ? (refusal ?? "") : words
}

const callsOf = ({ function_call, tool_calls }: Message): ReadonlyArray<ToolUse> =>
  [...(tool_calls ?? []), ...(function_call == null ? [] : [{ id: null, function: function_call }])].map(
    ({ id, function: called }, index) => ({
      type: "tool_use",
      id: id || `call_${index + 1}`,
      name: called.name,
      input: inputOf(called.arguments),
    }),
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

const contentOfMessage = (message: Message): ReadonlyArray<ContentBlock> => {
  const text = wordsOf(message)
  return [...(text === "" ? [] : [{ type: "text" as const, text }]), ...callsOf(message)]
}

/**
 * Reads an answer's body; on the left what is wrong with it, in words. A refusal's words are the answer's, and it ends with
 * `refusal`, a word that the API has for the message but not for the end.
 */
export const decode = (body: string): Either.Either<DecodedAnswer, string> =>
  Either.flatMap(
    Either.mapLeft(decodeJson(body), () => "text that is not JSON"),
    (response) =>
      Either.mapBoth(decodeCompletion(response), {
        onLeft: () => "JSON that is no chat completion",
        onRight: ({ choices: [first], model }) =>
          answerOf({
            content: contentOfMessage(first.message),
            refused: (first.message.refusal ?? "") !== "",
            finish: first.finish_reason ?? null,
            model: model ?? null,
            usage: fromChatCompletions(response),
          }),
      }),
  )

/** An answer without a word and without a tool call. One that was filtered or refused may be; any other is a failure. */
export const isEmpty = ({ content, finishReason }: DecodedAnswer): boolean =>
  finishReason !== "error" && content.every((block) => block.type === "text" && block.text.trim() === "")
