import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Invalid from "./Invalid.js"
import type { MessagesRequest } from "./MessagesRequest.js"

const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })
const Content = Schema.Union(Schema.String, Schema.Array(TextPart))
const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const Called = Schema.Struct({ name: Schema.String, arguments: Schema.String })

const Message = Schema.Union(
  Schema.Struct({ role: Schema.Literal("system", "developer", "user"), content: Content }),
  Schema.Struct({
    role: Schema.Literal("assistant"),
    content: Schema.optional(Schema.NullOr(Content)),
    tool_calls: Schema.optional(Schema.Array(Schema.Struct({ id: Schema.String, function: Called }))),
  }),
  Schema.Struct({ role: Schema.Literal("tool"), tool_call_id: Schema.String, content: Content }),
)
type Message = typeof Message.Type

const limit = Schema.optional(Schema.NullOr(Schema.Int.pipe(Schema.positive())))

/** The part of a chat-completions request that the sandbox honours; further members are taken and ignored. */
const ChatRequest = Schema.Struct({
  model: Schema.NonEmptyString,
  messages: Schema.Array(Message).pipe(Schema.minItems(1)),
  max_tokens: limit,
  max_completion_tokens: limit,
  temperature: Schema.optional(Schema.NullOr(Schema.Number.pipe(Schema.between(0, 2)))),
  stream: Schema.optional(Schema.NullOr(Schema.Boolean)),
  stream_options: Schema.optional(
    Schema.NullOr(Schema.Struct({ include_usage: Schema.optional(Schema.NullOr(Schema.Boolean)) })),
  ),
  tools: Schema.optional(
    Schema.Array(
      Schema.Struct({
        function: Schema.Struct({
          name: Schema.NonEmptyString,
          description: Schema.optional(Schema.String),
          parameters: Schema.optional(JsonSchema),
        }),
      }),
    ),
  ),
  tool_choice: Schema.optional(
    Schema.Union(
      Schema.Literal("none", "auto", "required"),
      Schema.Struct({ function: Schema.Struct({ name: Schema.String }) }),
    ),
  ),
  response_format: Schema.optional(
    Schema.Struct({
      type: Schema.String,
      json_schema: Schema.optional(Schema.Struct({ schema: Schema.optional(JsonSchema) })),
    }),
  ),
})
type ChatRequest = typeof ChatRequest.Type

/** Where the request sets no limit, the API sets none either; the sandbox's answers are never as long. */
const NO_LIMIT = 1_000_000

const textOf = (content: typeof Content.Type | null | undefined): string =>
  typeof content === "string" ? content : (content ?? []).map((part) => part.text).join("\n")

const decodeJson = Schema.decodeEither(Schema.parseJson(Schema.Unknown))

const toMessage = (message: Message): ReadonlyArray<MessagesRequest["messages"][number]> => {
  switch (message.role) {
    case "system":
    case "developer":
      return []
    case "user":
      return [{ role: "user", content: textOf(message.content) }]
    case "tool": {
      const { content, tool_call_id } = message
      return [{ role: "user", content: [{ type: "tool_result", tool_use_id: tool_call_id, content: textOf(content) }] }]
    }
    case "assistant": {
      const calls = (message.tool_calls ?? []).map(({ function: called, id }) => ({
        type: "tool_use" as const,
        id,
        name: called.name,
        input: Either.getOrElse(decodeJson(called.arguments), () => called.arguments),
      }))
      const text = textOf(message.content)
      return [{ role: "assistant", content: [...(text === "" ? [] : [{ type: "text" as const, text }]), ...calls] }]
    }
  }
}

const choiceOf = (choice: NonNullable<ChatRequest["tool_choice"]>): NonNullable<MessagesRequest["tool_choice"]> => {
  if (typeof choice === "object") return { type: "tool", name: choice.function.name }
  return { type: choice === "required" ? "any" : choice }
}

const formatOf = ({ response_format: format }: ChatRequest) =>
  format?.type === "json_schema"
    ? { output_config: { format: { type: "json_schema" as const, schema: format.json_schema?.schema ?? {} } } }
    : {}

const toolsOf = ({ tool_choice: choice, tools }: ChatRequest) => ({
  ...(tools === undefined
    ? {}
    : {
        tools: tools.map(({ function: { description, name, parameters } }) => ({
          name,
          ...(description === undefined ? {} : { description }),
          ...(parameters === undefined ? {} : { input_schema: parameters }),
        })),
      }),
  ...(choice === undefined ? {} : { tool_choice: choiceOf(choice) }),
})

const systemOf = ({ messages }: ChatRequest): string =>
  messages
    .flatMap((message) => (message.role === "system" || message.role === "developer" ? [textOf(message.content)] : []))
    .join("\n")

/** A chat request in the words in which the sandbox thinks, and whether a stream of it tells the usage. */
export interface Understood {
  readonly request: MessagesRequest
  readonly tellsUsage: boolean
}

const understood = (chat: ChatRequest): Understood => ({
  tellsUsage: chat.stream_options?.include_usage === true,
  request: {
    model: chat.model,
    max_tokens: chat.max_completion_tokens ?? chat.max_tokens ?? NO_LIMIT,
    system: systemOf(chat),
    messages: chat.messages.flatMap(toMessage),
    stream: chat.stream === true,
    ...toolsOf(chat),
    ...formatOf(chat),
  },
})

const decodeRequest = Schema.decodeUnknownEither(ChatRequest)

/** Reads a request; on the left the words of its error. */
export const decode = (body: unknown): Either.Either<Understood, string> =>
  Either.mapBoth(decodeRequest(body), { onLeft: Invalid.words, onRight: understood })
