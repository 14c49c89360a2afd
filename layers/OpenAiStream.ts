import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { OpenAI } from "openai"
import type { ServerSentEvent } from "openai/streaming"
import type { ContentBlock } from "../src/domain/Llm.js"
import { fromChatCompletions, none, totalTokens, type Usage } from "../src/domain/Usage.js"
import { toldInstead } from "./OpenAiFailure.js"
import { keyHeaders, type Manner } from "./OpenAiHttp.js"
import { answerOf, inputOf, isCut, isEmpty, malformed, Said, textOf, toBody } from "./OpenAiMessages.js"
import type { Broken } from "./ProviderHttp.js"
import type { ServerEvent, StreamProtocol, StreamReader, Told } from "./ProviderStream.js"
import type { PartialParse } from "./ToolArguments.js"

const nullable = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))

const Called = Schema.Struct({ name: nullable(Schema.String), arguments: nullable(Schema.Unknown) })

const ToolCall = Schema.Struct({
  index: nullable(Schema.Number),
  id: nullable(Schema.String),
  function: nullable(Called),
})
type ToolCall = typeof ToolCall.Type

const Delta = Schema.Struct({
  content: Said,
  refusal: nullable(Schema.String),
  /** Two spellings that servers have for what a model thinks before it answers. */
  reasoning_content: nullable(Schema.String),
  reasoning: nullable(Schema.String),
  tool_calls: nullable(Schema.Array(ToolCall)),
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
  error: nullable(Schema.Unknown),
})
type Chunk = typeof Chunk.Type

const decodeChunk = Schema.decodeEither(Schema.parseJson(Chunk))

type Read = Either.Either<ReadonlyArray<Told>, Broken>

const NOTHING: Read = Either.right([])

const broken = (reason: Broken["reason"], detail: string, again = false): Read =>
  Either.left({ reason, detail, again, retryable: true })

/** A block as it grows. Of a tool call `text` is the JSON of its input. */
interface Growing {
  readonly type: "text" | "thinking" | "tool_use"
  readonly index: number
  id: string
  name: string
  text: string
}

/** The first id that a call was given, or one of its place where the server gives none. */
const idOf = ({ id, index }: Growing): string => id || `call_${index + 1}`

/** Arguments come in pieces of JSON, or whole as what the JSON stands for. */
const jsonOf = (given: unknown): string =>
  typeof given === "string" ? given : given === null || given === undefined ? "" : JSON.stringify(given)

/** The blocks of an answer, in the order in which they began. */
const makeBlocks = () => {
  const blocks = new Map<string, Growing>()
  const at = (key: string, type: Growing["type"]): Growing => {
    const known = blocks.get(key)
    if (known !== undefined) return known
    const block: Growing = { type, index: blocks.size, id: "", name: "", text: "" }
    blocks.set(key, block)
    return block
  }
  const said = (key: "text" | "thinking", text: string): ReadonlyArray<Told> => {
    if (text === "") return []
    const block = at(key, key)
    block.text += text
    return [{ _tag: key === "text" ? "Text" : "Thinking", index: block.index, text }]
  }
  const called = (key: string, id: string, more: typeof Called.Type): ReadonlyArray<Told> => {
    const block = at(key, "tool_use")
    const json = jsonOf(more.arguments)
    if (block.id === "") block.id = id
    block.name ||= more.name ?? ""
    block.text += json
    return [{ _tag: "ToolInput", index: block.index, id: idOf(block), name: block.name, json }]
  }
  const content = (isCut: boolean, partial: PartialParse): Either.Either<ReadonlyArray<ContentBlock>, string> =>
    Either.all(
      [...blocks.values()].flatMap((block): ReadonlyArray<Either.Either<ContentBlock, string>> => {
        const { name, text, type } = block
        if (type === "thinking") return []
        if (type === "text") return [Either.right({ type, text })]
        const id = idOf(block)
        return [Either.map(inputOf(text, { name, isCut, partial }), (input) => ({ type, id, name, input }))]
      }),
    )
  return { said, called, content }
}

/**
 * Says which call a piece belongs to. Some servers number no calls: each has an id then, and its later pieces none. Some give all
 * of them the same number, and some each piece an id of its own: a call that begins is one that has both an id and a name.
 */
const makeKeys = () => {
  const numbered = new Map<number, { readonly key: string; readonly id: string }>()
  let last = ""
  return ({ function: more, id, index }: ToolCall): string => {
    if (index === null || index === undefined) {
      last = id || last
      return last
    }
    const known = numbered.get(index)
    const isNext = known !== undefined && known.id !== "" && (more?.name ?? "") !== "" && !!id && id !== known.id
    const key = known === undefined ? `#${index}` : isNext ? `#${index} ${id}` : known.key
    numbered.set(index, { key, id: isNext ? id : (known?.id ?? "") || (id ?? "") })
    return key
  }
}

/**
 * Reads the chunks of one chat completion. Some servers end without `[DONE]`: an answer that has said how it ends is whole
 * when its stream is over. Without a usage chunk nobody knows what it used.
 */
export const makeReader = (partial: PartialParse): StreamReader => {
  const blocks = makeBlocks()
  const keyOf = makeKeys()
  let model: string | null = null
  let finish: string | null = null
  let refused = false
  let tier: string | null = null
  let usage: unknown
  let hasBegun = false
  let isWhole = false

  const used = (): Usage =>
    usage === undefined
      ? none
      : fromChatCompletions({ usage, service_tier: tier }, isWhole ? "provider" : "lower_bound")

  const grow = (delta: Delta): ReadonlyArray<Told> => {
    refused ||= (delta.refusal ?? "") !== ""
    const calls = (delta.tool_calls ?? []).flatMap((call) =>
      blocks.called(keyOf(call), call.id ?? "", call.function ?? {}),
    )
    return [
      ...blocks.said("thinking", delta.reasoning_content ?? delta.reasoning ?? ""),
      ...blocks.said("text", textOf(delta.content)),
      ...blocks.said("text", delta.refusal ?? ""),
      ...calls,
      ...(delta.function_call == null ? [] : blocks.called("function", "", delta.function_call)),
    ]
  }

  const counted = (told: unknown): ReadonlyArray<Told> => {
    // A count of nothing comes from somebody who does not count: it does not take the place of one that does.
    if (told === null || told === undefined || totalTokens(fromChatCompletions({ usage: told })) === 0) return []
    usage = told
    return [{ _tag: "Used", usage: used() }]
  }

  const begun = (): ReadonlyArray<Told> => {
    if (hasBegun) return []
    hasBegun = true
    return [{ _tag: "Begun", model, usage: none }]
  }

  const piece = (chunk: Chunk): Read => {
    const instead = toldInstead(chunk.error)
    if (instead !== undefined) return Either.left(instead)
    const [choice] = chunk.choices ?? []
    // The first chunk of some servers tells of the prompt only, under no model's name.
    model = chunk.model || model
    tier = chunk.service_tier ?? tier
    finish = choice?.finish_reason ?? finish
    return Either.right([
      ...begun(),
      ...(choice?.delta == null ? [] : grow(choice.delta)),
      ...counted(chunk.usage ?? chunk.x_groq?.usage),
    ])
  }

  const whole = (): Read => {
    if (!hasBegun) return broken("EmptyResponse", "the answer is empty")
    isWhole = true
    const content = blocks.content(isCut(finish), partial)
    if (Either.isLeft(content)) return Either.left(malformed(content.left, used()))
    const answer = answerOf({ content: content.right, refused, finish, model, usage: used() })
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

/** A chat-completions API's stream, as its SDK speaks it. Most servers tell its usage only when they are asked for it. */
export const streaming = (
  { events, partialParse }: { readonly events: Events; readonly partialParse: PartialParse },
  { hasKey, maxTokensField, streamUsage }: Manner,
): StreamProtocol<OpenAI> => ({
  post: (client, wanted, signal) =>
    client
      .post("/chat/completions", {
        body: {
          ...toBody(wanted, maxTokensField),
          stream: true,
          ...(streamUsage ? { stream_options: { include_usage: true } } : {}),
        },
        signal,
        stream: true,
        ...keyHeaders(hasKey),
      })
      .asResponse(),
  events: (response, controller) => closed(events(response, controller)),
  reader: () => makeReader(partialParse),
})
