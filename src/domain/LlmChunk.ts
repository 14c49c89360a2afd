import type { AnswerSource, Attempt, ContentBlock, LlmResponse } from "./Llm.js"
import { inputTokens, type Usage } from "./Usage.js"

/** The provider has begun to answer. */
export interface Started {
  readonly _tag: "Started"
  /** The model that the provider says answers. */
  readonly model: string | null
  readonly requestId: string | null
  /** Who answers, and at which address, where that is another than the client names. */
  readonly provider?: string | undefined
  readonly baseUrl?: string | null | undefined
  readonly source: AnswerSource
  /** What is billed for sure from here on: a lower bound, or `none` when the provider does not tell. */
  readonly usage: Usage
  /** Every HTTP attempt so far; the last is the one that answers, measured up to here. */
  readonly attempts: ReadonlyArray<Attempt>
}

/** More of a text block. `index` is the block's place in the answer. */
export interface Text {
  readonly _tag: "Text"
  readonly index: number
  readonly text: string
}

/** More of what the model thinks before it answers; no part of the answer. */
export interface Thinking {
  readonly _tag: "Thinking"
  readonly index: number
  readonly text: string
}

/** More of a tool call's input: a piece of JSON, which parses only when the block is whole. The first may be empty. */
export interface ToolInput {
  readonly _tag: "ToolInput"
  readonly index: number
  readonly id: string
  readonly name: string
  readonly json: string
}

/** What is billed for sure by now: it takes the place of what was told before, and is never added to it. */
export interface Used {
  readonly _tag: "Used"
  readonly usage: Usage
}

/** The whole answer, as `generate` would have given it. */
export interface Finished<Response extends LlmResponse = LlmResponse> {
  readonly _tag: "Finished"
  readonly response: Response
}

/** A piece of an answer that has not finished. */
export type Piece = Started | Text | Thinking | ToolInput | Used

/** An element of a streamed answer: `Started` first, `Finished` last. */
export type LlmChunk<Response extends LlmResponse = LlmResponse> = Piece | Finished<Response>

const ofBlock = (block: ContentBlock, index: number): ReadonlyArray<Text | ToolInput> => {
  switch (block.type) {
    case "text":
      return [{ _tag: "Text", index, text: block.text }]
    case "tool_use":
      return [{ _tag: "ToolInput", index, id: block.id, name: block.name, json: JSON.stringify(block.input) ?? "null" }]
    case "tool_result":
      return []
  }
}

/** The blocks of an answer, each as one piece. */
export const ofContent = (content: ReadonlyArray<ContentBlock>): ReadonlyArray<Text | ToolInput> =>
  content.flatMap(ofBlock)

/** What is sure of an answer's usage before its first word: all of its input. */
export const begun = (usage: Usage): Usage => ({
  ...usage,
  output: 0,
  reasoning: 0,
  source: usage.source === "none" || inputTokens(usage) === 0 ? "none" : "lower_bound",
})

/** A whole answer as the chunks of a stream, one a block. */
export const ofResponse = (response: LlmResponse): ReadonlyArray<LlmChunk> => {
  const { attempts, content, model, requestId, source, usage } = response
  return [
    { _tag: "Started", model, requestId, source, usage: begun(usage), attempts },
    ...ofContent(content),
    { _tag: "Finished", response },
  ]
}

/** True of a chunk that brings content, if only a tool's name: what the time to the first token ends with. */
export const isToken = (chunk: LlmChunk): chunk is Text | Thinking | ToolInput =>
  chunk._tag === "ToolInput" || ((chunk._tag === "Text" || chunk._tag === "Thinking") && chunk.text !== "")
