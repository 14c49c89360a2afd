import type { MessageCreateParamsNonStreaming, MessageParam, Tool } from "@anthropic-ai/sdk/resources/messages/messages"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { ContentBlock, FinishReason, LlmRequest } from "../src/domain/Llm.js"
import { fromMessagesApi } from "../src/domain/Usage.js"
import { type DecodedAnswer, noAnswer, type Undecodable } from "./ProviderHttp.js"

/** The API version whose Messages API still takes a temperature; the SDK's own version refuses any. */
export const SAMPLING_API_VERSION = "2023-06-01"

/** A request's body. The temperature is not part of the SDK's types, because its own API version has none. */
export type MessagesBody = MessageCreateParamsNonStreaming & { readonly temperature?: number }

const toBlock = (block: ContentBlock): Extract<MessageParam["content"], ReadonlyArray<unknown>>[number] => {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text }
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: block.input }
    case "tool_result":
      return {
        type: "tool_result",
        tool_use_id: block.tool_use_id,
        content: block.content,
        ...(block.is_error === undefined ? {} : { is_error: block.is_error }),
      }
  }
}

const toMessage = ({ content, role }: LlmRequest["messages"][number]): MessageParam => ({
  role,
  content: typeof content === "string" ? content : content.map(toBlock),
})

const toTool = (tool: NonNullable<LlmRequest["tools"]>[number]): Tool => ({
  name: tool.name,
  ...(tool.description === undefined ? {} : { description: tool.description }),
  input_schema: { ...tool.inputSchema, type: "object" },
})

/** What goes over the wire for a request; what the request leaves out is left out. */
export const toBody = (request: LlmRequest): MessagesBody => ({
  model: request.model,
  max_tokens: request.maxTokens,
  messages: request.messages.map(toMessage),
  ...(request.system === undefined ? {} : { system: request.system }),
  ...(request.tools === undefined || request.tools.length === 0 ? {} : { tools: request.tools.map(toTool) }),
  ...(request.temperature === null ? {} : { temperature: request.temperature }),
  ...(request.responseFormat === undefined
    ? {}
    : { output_config: { format: { type: "json_schema" as const, schema: { ...request.responseFormat.schema } } } }),
})

const TextBlock = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })
const ToolUseBlock = Schema.Struct({
  type: Schema.Literal("tool_use"),
  id: Schema.String,
  name: Schema.String,
  input: Schema.Unknown,
})
/** Blocks that an answer may hold and this program has no use for, such as thinking. */
const OtherBlock = Schema.Struct({
  type: Schema.String.pipe(Schema.filter((type) => type !== "text" && type !== "tool_use")),
})

const Answer = Schema.Struct({
  type: Schema.Literal("message"),
  content: Schema.Array(Schema.Union(TextBlock, ToolUseBlock, OtherBlock)),
  model: Schema.optional(Schema.NullOr(Schema.String)),
  stop_reason: Schema.optional(Schema.NullOr(Schema.String)),
  usage: Schema.optional(Schema.NullOr(Schema.Unknown)),
})

const decodeJson = Schema.decodeEither(Schema.parseJson(Schema.Unknown))
const decodeAnswer = Schema.decodeUnknownEither(Answer)

/** The ending in the domain's words. */
export const finishReason = (stopReason: string | null): FinishReason => {
  switch (stopReason) {
    case "max_tokens":
    case "model_context_window_exceeded":
      return "length"
    case "tool_use":
      return "tool_calls"
    case "refusal":
      return "error"
    default:
      return "stop"
  }
}

const known = (block: (typeof Answer.Type)["content"][number]): ReadonlyArray<ContentBlock> =>
  "text" in block || "name" in block ? [block] : []

const answerOf = (answer: typeof Answer.Type): DecodedAnswer => {
  const stopReason = answer.stop_reason ?? null
  return {
    content: answer.content.flatMap(known),
    model: answer.model || null,
    stopReason,
    finishReason: finishReason(stopReason),
    usage: fromMessagesApi(answer.usage),
  }
}

/** Reads an answer's body; on the left what is wrong with it, and what it used all the same. */
export const decode = (body: string): Either.Either<DecodedAnswer, Undecodable> =>
  Either.flatMap(
    Either.mapLeft(decodeJson(body), () => noAnswer("text that is not JSON")),
    (json) =>
      Either.mapBoth(decodeAnswer(json), {
        onLeft: () => noAnswer("JSON that is not a message", fromMessagesApi(json)),
        onRight: answerOf,
      }),
  )

/** An answer without a word and without a tool call. A refusal or a pause may be; anything else is a failure. */
export const isEmpty = (answer: DecodedAnswer): boolean =>
  answer.stopReason !== "refusal" &&
  answer.stopReason !== "pause_turn" &&
  answer.content.every((block) => block.type === "text" && block.text.trim() === "")
