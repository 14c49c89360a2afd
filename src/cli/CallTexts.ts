import type { Evidence } from "../domain/Evidence.js"
import type { ContentBlock, LlmRequest } from "../domain/Llm.js"

/** One text of a call, under who said it. */
export interface CallText {
  readonly title: string
  readonly text: string
}

const json = (value: unknown): string => JSON.stringify(value, null, 2) ?? "null"

const blockText = (block: ContentBlock): string => {
  switch (block.type) {
    case "text":
      return block.text
    case "tool_use":
      return `[tool ${block.name} is asked for: ${json(block.input)}]`
    case "tool_result":
      return `[result of ${block.tool_use_id}${block.is_error === true ? ", an error" : ""}: ${block.content}]`
  }
}

const contentText = (content: string | ReadonlyArray<ContentBlock>): string =>
  typeof content === "string" ? content : content.map(blockText).join("\n")

const asked = (request: LlmRequest): ReadonlyArray<CallText> => [
  ...(request.system === undefined ? [] : [{ title: "SYSTEM", text: request.system }]),
  ...request.messages.map(({ role, content }) => ({ title: role.toUpperCase(), text: contentText(content) })),
  ...(request.tools === undefined || request.tools.length === 0
    ? []
    : [{ title: "TOOLS", text: request.tools.map(({ name }) => name).join(", ") }]),
  ...(request.responseFormat === undefined ? [] : [{ title: "ANSWER AS", text: request.responseFormat.name }]),
]

const question = (request: Evidence["request"]): ReadonlyArray<CallText> => {
  if (typeof request === "string") return [{ title: "QUESTION", text: `Only its sha256 was kept: ${request}` }]
  return "as_given" in request ? [{ title: "QUESTION", text: json(request.as_given) }] : asked(request)
}

const answer = (response: Evidence["response"]): ReadonlyArray<CallText> => {
  if (response === undefined) return []
  if (typeof response === "string") return [{ title: "ANSWER", text: `Only its sha256 was kept: ${response}` }]
  const text = "as_given" in response ? json(response.as_given) : contentText(response.content)
  return [{ title: "ANSWER", text }]
}

/** What was asked and what came, in the order in which it was said. */
export const textsOf = ({ request, response }: Evidence): ReadonlyArray<CallText> => [
  ...question(request),
  ...answer(response),
]
