import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ErrorText from "../domain/ErrorText.js"
import type { Attempt, ContentBlock, LlmError, LlmResponse } from "../domain/Llm.js"
import { isToken, type LlmChunk, type Started } from "../domain/LlmChunk.js"
import * as Usage from "../domain/Usage.js"

type Growing = Extract<LlmChunk, { readonly _tag: "Text" | "ToolInput" }>

/** What has come of a streamed answer, whatever comes after. Times are monotonic nanoseconds. */
export interface StreamedAnswer {
  started: Started | undefined
  /** Since when its client is waited for; absent while its reader takes the time. */
  waitingSince: bigint | undefined
  /** How long the client was waited for since it began to answer. */
  waited: bigint
  firstTokenAt: bigint | undefined
  usage: Usage.Usage
  chunks: number
  /** What the client itself failed with, whoever reads it. */
  broken: Cause.Cause<LlmError> | undefined
  readonly blocks: Map<number, Growing>
}

export const make = (): StreamedAnswer => ({
  started: undefined,
  waitingSince: undefined,
  waited: 0n,
  firstTokenAt: undefined,
  usage: Usage.none,
  chunks: 0,
  broken: undefined,
  blocks: new Map(),
})

const grown = (before: Growing | undefined, more: Growing): Growing => {
  if (before?._tag === "Text" && more._tag === "Text") return { ...more, text: before.text + more.text }
  if (before?._tag === "ToolInput" && more._tag === "ToolInput") return { ...more, json: before.json + more.json }
  return more
}

/** The client's own stream, with note taken of when it is waited for, of each chunk, and of what it fails with. */
export const watched = (
  answer: StreamedAnswer,
  stream: Stream.Stream<LlmChunk, LlmError>,
  clock: Clock.Clock,
): Stream.Stream<LlmChunk, LlmError> =>
  Stream.fromPull(
    Effect.map(Stream.toPull(stream), (pull) =>
      Effect.suspend(() => {
        answer.waitingSince = clock.unsafeCurrentTimeNanos()
        return pull
      }).pipe(
        Effect.tap((chunks) => {
          const now = clock.unsafeCurrentTimeNanos()
          for (const chunk of chunks) note(answer, chunk, now)
        }),
        Effect.tapErrorCause((cause) =>
          Effect.sync(() => {
            answer.broken = Option.getOrUndefined(Cause.flipCauseOption(cause))
          }),
        ),
      ),
    ),
  )

/** Takes note of a chunk that has come at a time. */
const note = (answer: StreamedAnswer, chunk: LlmChunk, now: bigint): void => {
  answer.chunks += 1
  if (answer.waitingSince !== undefined) answer.waited += now - answer.waitingSince
  answer.waitingSince = undefined
  if (answer.firstTokenAt === undefined && isToken(chunk)) answer.firstTokenAt = now
  switch (chunk._tag) {
    case "Started":
      answer.started = chunk
      answer.waited = 0n
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
const attemptsAt = (answer: StreamedAnswer, now: bigint): ReadonlyArray<Attempt> => {
  const { started, usage, waited, waitingSince } = answer
  const attempts = started?.attempts ?? []
  const last = attempts.at(-1)
  if (last === undefined) return attempts
  const nanos = waited + (waitingSince === undefined ? 0n : now - waitingSince)
  const duration_ms = Math.round(last.duration_ms * 1e3 + Math.max(0, Number(nanos) / 1e3)) / 1e3
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
        ...(answer.started.baseUrl === undefined ? {} : { baseUrl: answer.started.baseUrl }),
      }

/** How a stream ended that its reader left before its end: because it had enough, was interrupted, or failed of its own. */
export const left = ({ chunks }: StreamedAnswer, exit: Exit.Exit<unknown, unknown>): ErrorText.Failure => {
  if (Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)) return ErrorText.ofCause(exit.cause)
  const many = `${chunks} ${chunks === 1 ? "chunk" : "chunks"}`
  const when = chunks === 0 ? "left before its first chunk" : `left by its reader after ${many}`
  if (Exit.isSuccess(exit)) return ErrorText.interrupted(when)
  const { errorClass, summary } = ErrorText.ofCause(exit.cause)
  return ErrorText.interrupted(
    `${when}, which failed: ${errorClass === summary ? summary : `${errorClass}: ${summary}`}`,
  )
}
