import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as CanonicalJson from "../../src/domain/CanonicalJson.js"
import { type ContentBlock, type LlmRequest, outputHash, promptHash } from "../../src/domain/Llm.js"

const anyText = FastCheck.string({ unit: "binary" })
const orNothing = <A>(of: FastCheck.Arbitrary<A>) => FastCheck.option(of, { nil: undefined })

const block: FastCheck.Arbitrary<ContentBlock> = FastCheck.oneof(
  FastCheck.record({ type: FastCheck.constant("text" as const), text: anyText }),
  FastCheck.record({
    type: FastCheck.constant("tool_use" as const),
    id: anyText,
    name: anyText,
    input: FastCheck.jsonValue(),
  }),
  FastCheck.record({ type: FastCheck.constant("tool_result" as const), tool_use_id: anyText, content: anyText }),
)

const message = FastCheck.record({
  role: FastCheck.constantFrom("user" as const, "assistant" as const),
  content: FastCheck.oneof(anyText, FastCheck.array(block, { maxLength: 3 })),
})

const request: FastCheck.Arbitrary<LlmRequest> = FastCheck.record({
  model: anyText,
  messages: FastCheck.tuple(message, FastCheck.array(message, { maxLength: 2 })).map(
    ([first, others]) => [first, ...others] as const,
  ),
  system: orNothing(anyText),
  tools: orNothing(FastCheck.array(FastCheck.record({ name: anyText, inputSchema: FastCheck.constant({}) }))),
  temperature: FastCheck.option(FastCheck.double()),
  maxTokens: FastCheck.double(),
  responseFormat: orNothing(FastCheck.record({ name: anyText, schema: FastCheck.constant({ b: 1, a: 2 }) })),
})

const plainly = (request: LlmRequest): string =>
  CanonicalJson.hash({
    max_tokens: request.maxTokens,
    messages: request.messages,
    model: request.model,
    response_format: request.responseFormat,
    system: request.system,
    temperature: request.temperature,
    tools: request.tools,
  })

describe("the hashes of a call", () => {
  it("a prompt's is that of the canonical JSON of what determines the answer, so that old evidence still answers", () => {
    FastCheck.assert(
      FastCheck.property(request, (one) => {
        expect(promptHash(one)).toBe(plainly(one))
      }),
      { numRuns: 300 },
    )
  })

  it("an answer's is that of the canonical JSON of its blocks", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(block, { maxLength: 4 }), (content) => {
        expect(outputHash(content)).toBe(CanonicalJson.hash(content))
      }),
      { numRuns: 300 },
    )
  })

  it("members that nobody foresaw, missing ones and wrong kinds are hashed as ever", () => {
    const plain = { model: "m", messages: [{ role: "user", content: "hi" }], temperature: 0, maxTokens: 5 }
    for (const odd of [
      { messages: [{ role: "user", content: "hi", name: "extra" }] },
      { messages: [{ content: "hi" }, null, "text", { role: undefined, content: "hi" }] },
      { messages: undefined },
      { temperature: undefined },
      { system: 5 },
      { maxTokens: "5", tools: null },
    ]) {
      const one = { ...plain, ...odd } as unknown as LlmRequest
      expect(promptHash(one)).toBe(plainly(one))
    }
    const content = [{ type: "text", text: "a", cite: 1 }, { type: "text" }, null] as unknown as Array<ContentBlock>
    expect(outputHash(content)).toBe(CanonicalJson.hash(content))
  })
})
