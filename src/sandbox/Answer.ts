import * as Option from "effect/Option"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import { heuristics } from "../domain/Enrichment.js"
import * as PromptData from "../domain/PromptData.js"
import { answersTool, type MessagesRequest, promptText, textOf, userTexts } from "./MessagesRequest.js"
import { sample } from "./SchemaSample.js"
import * as SectionText from "./SectionText.js"
import * as Tokens from "./Tokens.js"

/** A block of an answer. */
export type AnswerBlock =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "tool_use"; readonly id: string; readonly name: string; readonly input: unknown }

/** What the sandbox says to a request. */
export interface Answer {
  readonly content: ReadonlyArray<AnswerBlock>
  readonly stopReason: "end_turn" | "max_tokens" | "tool_use"
  readonly inputTokens: number
  readonly outputTokens: number
}

const EXTRACT_SENTENCES = 3
const EXTRACT_LENGTH = 400

/** The first sentences of a text, as they stand. */
const extract = (text: string): string => {
  const plain = text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
  if (plain === "") return "The prompt has no text to answer from."
  const sentences = plain.match(/[^.!?]+[.!?]*(?=\s|$)/g) ?? [plain]
  const few = sentences.slice(0, EXTRACT_SENTENCES).join("").trim()
  return few.length > EXTRACT_LENGTH ? `${few.slice(0, EXTRACT_LENGTH).trimEnd()}…` : few
}

const dataOf = (request: MessagesRequest): Option.Option<PromptData.PromptData> =>
  Option.firstSomeOf(userTexts(request).map(PromptData.extract))

const plainAnswer = (request: MessagesRequest): string => {
  const words = extract(userTexts(request).at(-1) ?? "")
  const format = request.output_config?.format
  return format === undefined || format === null ? words : CanonicalJson.stringify(sample(format.schema, words))
}

const wholeText = (request: MessagesRequest): string =>
  Option.match(dataOf(request), {
    onNone: () => plainAnswer(request),
    onSome: (prompt) =>
      prompt.kind === "enrich_claims"
        ? CanonicalJson.stringify(heuristics(prompt.data.claims))
        : SectionText.write(prompt.data),
  })

/** What the assistant has already said of this text: all of its turns together, when they are the text's beginning. */
const alreadySaid = (request: MessagesRequest, whole: string): number => {
  const said = request.messages
    .filter((message) => message.role === "assistant")
    .map(textOf)
    .join("")
  if (whole.startsWith(said)) return said.length
  const trimmed = said.trimEnd()
  return whole.startsWith(trimmed) ? trimmed.length : 0
}

const tool = (request: MessagesRequest): NonNullable<MessagesRequest["tools"]>[number] | undefined => {
  const { tool_choice: choice, tools = [] } = request
  if (answersTool(request) || choice?.type === "none") return undefined
  if (choice?.type === "tool") return tools.find((candidate) => candidate.name === choice.name)
  if (choice?.type === "any") return tools[0]
  const asked = userTexts(request).at(-1) ?? ""
  return tools.find((candidate) => asked.includes(candidate.name))
}

const toolAnswer = (
  request: MessagesRequest,
  called: NonNullable<MessagesRequest["tools"]>[number],
  inputTokens: number,
): Answer => {
  const input = sample(called.input_schema ?? {}, extract(userTexts(request).at(-1) ?? ""))
  const id = `toolu_${CanonicalJson.hash([request.messages, called.name]).slice(0, 24)}`
  return {
    content: [{ type: "tool_use", id, name: called.name, input }],
    stopReason: "tool_use",
    inputTokens,
    outputTokens: Math.max(1, Tokens.count(JSON.stringify(input))),
  }
}

/**
 * Answers a request from its own words, the same each time. A prompt with a data block gets what the data ask for; a tool
 * is called when it must be or when the last turn names it; anything else gets the first sentences of its text, in the
 * wanted shape when there is one. At most `max_tokens`; an answer cut there goes on where the assistant's turns end.
 */
export const answer = (request: MessagesRequest, limit = request.max_tokens): Answer => {
  const inputTokens = Math.max(1, Tokens.count(promptText(request)))
  const called = tool(request)
  if (called !== undefined) return toolAnswer(request, called, inputTokens)
  const whole = wholeText(request)
  const rest = whole.slice(alreadySaid(request, whole))
  const text = Tokens.cut(rest, Math.min(limit, request.max_tokens))
  return {
    content: text === "" ? [] : [{ type: "text", text }],
    stopReason: text.length < rest.length ? "max_tokens" : "end_turn",
    inputTokens,
    outputTokens: Tokens.count(text),
  }
}
