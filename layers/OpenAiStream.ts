import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { OpenAI } from "openai"
import type { ServerSentEvent } from "openai/streaming"
import type { ContentBlock } from "../src/domain/Llm.js"
import { fromChatCompletions, none, type Usage } from "../src/domain/Usage.js"
import { keyHeaders } from "./OpenAiHttp.js"
import { answerOf, inputOf, isEmpty, type MaxTokensField, toBody } from "./OpenAiMessages.js"
import type { Broken, ServerEvent, StreamProtocol, StreamReader, Told } from "./ProviderStream.js"

const nullable = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

const Called = Schema.Struct({ name: nullable(Schema.String), arguments: nullable(Schema.String) })

const Delta = Schema.Struct({
  content: nullable(Schema.String),
  refusal: nullable(Schema.String),
  /** Two spellings that servers have for what a model thinks before it answers. */
  reasoning_content: nullable(Schema.String),
  reasoning: nullable(Schema.String),
  tool_calls: nullable(
    Schema.Array(
      Schema.Struct({ index: nullable(Schema.Number), id: nullable(Schema.String), function: nullable(Called) }),
    ),
  ),
  function_call: nullable(Called),
})
type Delta = typeof Delta.Type

const Chunk = Schema.Struct({
  model: nullable(Schema.String),
  choices: nullable(Schema.Array(Schema.Struct({ delta: nullable(Delta), finish_reason: nullable(Schema.String) }))),
  usage: nullable(Schema.Unknown),
  /** Where one server tells its usage. */
  x_groq: nullable(Schema.Struct({ usage: nullable(Schema.Unknown) })),
  service_tier: nullable(Schema.String),
  error: nullable(Schema.Union(Schema.String, Schema.Struct({ message: nullable(Schema.String) }))),
})
type Chunk = typeof Chunk.Type

const decodeChunk = Schema.decodeEither(Schema.parseJson(Chunk))

type Read = Either.Either<ReadonlyArray<Told>, Broken>

const NOTHING: Read = Either.right([])

const broken = (reason: Broken["reason"], detail: string, again = false): Read =>
  Either.left({ reason, detail, again, retryable: true })

const failed = (error: NonNullable<Chunk["error"]>): Read =>
  broken("ServerError", (typeof error === "string" ? error : error.message) || "an error without words", true)

/** A block as it grows. Of a tool call `text` is the JSON of its input. */
interface Growing {
  readonly type: "text" | "thinking" | "tool_use"
  readonly index: number
  id: string
  name: string
  text: string
}

/** The blocks of an answer, in the order in which they began. */
const makeBlocks = () => {
  const blocks = new Map<string, Growing>()
  const at = (key: string, type: Growing["type"]): Growing => {
    const known = blocks.get(key)
    if (known !== undefined) return known
    const block: Growing = { type, index: blocks.size, id: `call_${blocks.size + 1}`, name: "", text: "" }
    blocks.set(key, block)
    return block
  }
  const said = (key: "text" | "thinking", text: string | null | undefined): ReadonlyArray<Told> => {
    if (text === null || text === undefined || text === "") return []
    const block = at(key, key)
    block.text += text
    return [{ _tag: key === "text" ? "Text" : "Thinking", index: block.index, text }]
  }
  const called = (key: string, id: string, more: typeof Called.Type): ReadonlyArray<Told> => {
    const block = at(key, "tool_use")
    const json = more.arguments ?? ""
    block.id = id || block.id
    block.name ||= more.name ?? ""
    block.text += json
    return [{ _tag: "ToolInput", index: block.index, id: block.id, name: block.name, json }]
  }
  const content = (): ReadonlyArray<ContentBlock> =>
    [...blocks.values()].flatMap(({ id, name, text, type }): ReadonlyArray<ContentBlock> => {
      if (type === "thinking") return []
      return [type === "text" ? { type, text } : { type, id, name, input: inputOf(text) }]
    })
  return { said, called, content, count: () => blocks.size }
}

/**
 * Reads the chunks of one chat completion. Some servers end without `[DONE]`: an answer that has said how it ends is whole
 * when its stream is over. Without a usage chunk nobody knows what it used.
 */
export const makeReader = (): StreamReader => {
  const blocks = makeBlocks()
  let model: string | null = null
  let finish: string | null = null
  let refused = false
  let tier: string | null = null
  let usage: unknown
  let hasBegun = false
  let isWhole = false
  let lastCall = ""

  const used = (): Usage =>
    usage === undefined
      ? none
      : fromChatCompletions({ usage, service_tier: tier }, isWhole ? "provider" : "lower_bound")

  const grow = (delta: Delta): ReadonlyArray<Told> => {
    refused ||= (delta.refusal ?? "") !== ""
    const calls = (delta.tool_calls ?? []).flatMap(({ function: more, id, index }) => {
      // A server that numbers no calls gives each an id, and its later pieces none.
      lastCall = index == null ? id || lastCall : `#${index}`
      return blocks.called(lastCall, id ?? "", more ?? {})
    })
    return [
      ...blocks.said("thinking", delta.reasoning_content ?? delta.reasoning),
      ...blocks.said("text", delta.content),
      ...blocks.said("text", delta.refusal),
      ...calls,
      ...(delta.function_call == null ? [] : blocks.called("function", "", delta.function_call)),
    ]
  }

  const counted = (told: unknown): ReadonlyArray<Told> => {
    if (told === null || told === undefined) return []
    usage = told
    return [{ _tag: "Used", usage: used() }]
  }

  const begun = (chunk: Chunk): ReadonlyArray<Told> => {
    if (hasBegun) return []
    hasBegun = true
    model = chunk.model ?? null
    return [{ _tag: "Begun", model, usage: none }]
  }

  const piece = (chunk: Chunk): Read => {
    if (chunk.error !== null && chunk.error !== undefined) return failed(chunk.error)
    const [choice] = chunk.choices ?? []
    tier = chunk.service_tier ?? tier
    finish = choice?.finish_reason ?? finish
    return Either.right([
      ...begun(chunk),
      ...(choice?.delta == null ? [] : grow(choice.delta)),
      ...counted(chunk.usage ?? chunk.x_groq?.usage),
    ])
  }

  const whole = (): Read => {
    if (!hasBegun) return broken("EmptyResponse", "the answer is empty")
    isWhole = true
    const answer = answerOf({ content: blocks.content(), refused, finish, model, usage: used() })
    return isEmpty(answer)
      ? broken("EmptyResponse", "the answer has no text and no tool call")
      : Either.right([{ _tag: "Answered", answer }])
  }

  const read = ({ data, event }: ServerEvent): Read => {
    if (isWhole) return NOTHING
    if (event === END)
      return finish === null ? broken("Connection", "the stream ended before the answer did", true) : whole()
    if (data.startsWith("[DONE]")) return whole()
    return Either.match(decodeChunk(data), {
      onLeft: () => broken("MalformedResponse", "the stream has a chunk that is none"),
      onRight: piece,
    })
  }

  return { read, used }
}

/** The name of the event that stands for the end of the response; no server sends it. */
const END = "runledger.end"

async function* closed(events: AsyncIterable<ServerSentEvent>): AsyncGenerator<ServerEvent, void> {
  yield* events
  yield { event: END, data: "" }
}

/** The SDK's own reader of Server-Sent Events. */
export type Events = (response: Response, controller: AbortController) => AsyncIterable<ServerSentEvent>

/** A chat-completions API's stream, as its SDK speaks it. The usage is asked for: without it there is none. */
export const streaming = (events: Events, hasKey: boolean, maxTokensField: MaxTokensField): StreamProtocol<OpenAI> => ({
  post: (client, wanted, signal) =>
    client
      .post("/chat/completions", {
        body: { ...toBody(wanted, maxTokensField), stream: true, stream_options: { include_usage: true } },
        signal,
        stream: true,
        ...keyHeaders(hasKey),
      })
      .asResponse(),
  events: (response, controller) => closed(events(response, controller)),
  reader: makeReader,
})
