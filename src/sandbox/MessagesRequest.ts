import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Invalid from "./Invalid.js"

const TextBlock = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

const Block = Schema.Union(
  TextBlock,
  Schema.Struct({
    type: Schema.Literal("tool_use"),
    id: Schema.String,
    name: Schema.String,
    input: Schema.Unknown,
  }),
  Schema.Struct({
    type: Schema.Literal("tool_result"),
    tool_use_id: Schema.String,
    content: Schema.optional(Schema.Union(Schema.String, Schema.Array(TextBlock))),
    is_error: Schema.optional(Schema.Boolean),
  }),
)
type Block = typeof Block.Type

const Message = Schema.Struct({
  role: Schema.Literal("user", "assistant"),
  content: Schema.Union(Schema.String, Schema.Array(Block)),
})

const JsonSchema = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** The part of a Messages API request that the sandbox honours; further members are taken and ignored. */
export const MessagesRequest = Schema.Struct({
  model: Schema.NonEmptyString,
  max_tokens: Schema.Int.pipe(Schema.positive()),
  messages: Schema.Array(Message).pipe(Schema.minItems(1)),
  system: Schema.optional(Schema.Union(Schema.String, Schema.Array(TextBlock))),
  temperature: Schema.optional(Schema.NullOr(Schema.Number.pipe(Schema.between(0, 1)))),
  stream: Schema.optional(Schema.Boolean),
  tools: Schema.optional(
    Schema.Array(
      Schema.Struct({
        name: Schema.NonEmptyString,
        description: Schema.optional(Schema.String),
        input_schema: Schema.optional(JsonSchema),
      }),
    ),
  ),
  tool_choice: Schema.optional(Schema.Struct({ type: Schema.String, name: Schema.optional(Schema.String) })),
  output_config: Schema.optional(
    Schema.Struct({
      format: Schema.optional(
        Schema.NullOr(Schema.Struct({ type: Schema.Literal("json_schema"), schema: JsonSchema })),
      ),
    }),
  ),
})
export type MessagesRequest = typeof MessagesRequest.Type

const decodeRequest = Schema.decodeUnknownEither(MessagesRequest)

/** The first API version without sampling parameters. */
const WITHOUT_SAMPLING = "2026-10-21"

/** Reads a request as the API of that version does; on the left the words of its `invalid_request_error`. */
export const decode = (body: unknown, apiVersion: string): Either.Either<MessagesRequest, string> =>
  Either.flatMap(Either.mapLeft(decodeRequest(body), Invalid.words), (request) =>
    typeof request.temperature === "number" && apiVersion >= WITHOUT_SAMPLING
      ? Either.left("temperature: Extra inputs are not permitted")
      : Either.right(request),
  )

const blockText = (block: Block): string => {
  switch (block.type) {
    case "text":
      return block.text
    case "tool_use":
      return ""
    case "tool_result":
      return typeof block.content === "string"
        ? block.content
        : (block.content ?? []).map((inner) => inner.text).join("\n")
  }
}

/** A message's words. */
export const textOf = (message: MessagesRequest["messages"][number]): string =>
  typeof message.content === "string" ? message.content : message.content.map(blockText).join("\n")

/** The words of all of the user's turns, in order. */
export const userTexts = (request: MessagesRequest): ReadonlyArray<string> =>
  request.messages.filter((message) => message.role === "user").map(textOf)

/** Whether the last turn hands a tool's result back. */
export const answersTool = (request: MessagesRequest): boolean => {
  const content = request.messages.at(-1)?.content
  return typeof content === "object" && content.some((block) => block.type === "tool_result")
}

/** Everything that counts as prompt, as one text. */
export const promptText = (request: MessagesRequest): string => {
  const system =
    typeof request.system === "string" ? request.system : (request.system ?? []).map((block) => block.text).join("\n")
  const tools = request.tools === undefined ? "" : JSON.stringify(request.tools)
  return [system, tools, ...request.messages.map(textOf)].join("\n")
}
