import * as ErrorText from "../domain/ErrorText.js"
import type { Attempt, ContentBlock, LlmResponse } from "../domain/Llm.js"
import { isToken, type LlmChunk, type Started } from "../domain/LlmChunk.js"
import * as Usage from "../domain/Usage.js"

type Growing = Extract<LlmChunk, { readonly _tag: "Text" | "ToolInput" }>

/** What has come of a streamed answer, whatever comes after. Times are monotonic nanoseconds. */
export interface StreamedAnswer {
  started: Started | undefined
  startedAt: bigint
  firstTokenAt: bigint | undefined
  usage: Usage.Usage
  chunks: number
  readonly blocks: Map<number, Growing>
}

export const make = (): StreamedAnswer => ({
  started: undefined,
  startedAt: 0n,
  firstTokenAt: undefined,
  usage: Usage.none,
  chunks: 0,
  blocks: new Map(),
})

const grown = (before: Growing | undefined, more: Growing): Growing => {
  if (before?._tag === "Text" && more._tag === "Text") return { ...more, text: before.text + more.text }
  if (before?._tag === "ToolInput" && more._tag === "ToolInput") return { ...more, json: before.json + more.json }
  return more
}

/** Takes note of a chunk that has come at a time. */
export const note = (answer: StreamedAnswer, chunk: LlmChunk, now: bigint): void => {
  answer.chunks += 1
  if (answer.firstTokenAt === undefined && isToken(chunk)) answer.firstTokenAt = now
  switch (chunk._tag) {
    case "Started":
      answer.started = chunk
      answer.startedAt = now
      answer.usage = chunk.usage
      break
    case "Used":
      answer.usage = chunk.usage
      break
    case "Text":
    case "ToolInput":
      answer.blocks.set(chunk.index, grown(answer.blocks.get(chunk.index), chunk))
  }
}

/** The blocks so far. The input of a tool call stands as the piece of JSON that has come of it. */
const contentOf = ({ blocks }: StreamedAnswer): ReadonlyArray<ContentBlock> =>
  [...blocks]
    .sort(([left], [right]) => left - right)
    .map(([, block]) =>
      block._tag === "Text"
        ? { type: "text", text: block.text }
        : { type: "tool_use", id: block.id, name: block.name, input: block.json },
    )

const billed = (usage: Usage.Usage): Pick<Attempt, "token_usage" | "usage_source"> =>
  usage.source === "none" ? {} : { token_usage: Usage.toWire(usage), usage_source: usage.source }

/** The attempts of an answer that nobody reads on at a time: the last one ends there. */
const attemptsAt = ({ started, startedAt, usage }: StreamedAnswer, now: bigint): ReadonlyArray<Attempt> => {
  const attempts = started?.attempts ?? []
  const last = attempts.at(-1)
  if (last === undefined) return attempts
  const duration_ms = last.duration_ms + Math.max(0, Math.round(Number(now - startedAt) / 1e3) / 1e3)
  return [...attempts.slice(0, -1), { ...last, duration_ms, error_class: "Interrupted", ...billed(usage) }]
}

/** What came of an answer that was left unfinished at a time; absent when it had not begun. */
export const unfinished = (answer: StreamedAnswer, now: bigint): LlmResponse | undefined =>
  answer.started === undefined
    ? undefined
    : {
        content: contentOf(answer),
        usage: answer.usage,
        finishReason: "error",
        stopReason: null,
        model: answer.started.model,
        requestId: answer.started.requestId,
        attempts: attemptsAt(answer, now),
        source: answer.started.source,
        ...(answer.started.provider === undefined ? {} : { provider: answer.started.provider }),
      }

/** How a stream ended that its reader left before its end. */
export const left = ({ chunks }: StreamedAnswer): ErrorText.Failure =>
  ErrorText.interrupted(
    chunks === 0
      ? "left before its first chunk"
      : `left by its reader after ${chunks} ${chunks === 1 ? "chunk" : "chunks"}`,
  )
