import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { partialParse } from "openai/_vendor/partial-json-parser/parser"
import * as OpenAiMessages from "../../layers/OpenAiMessages.js"
import type { LlmRequest } from "../../src/domain/Llm.js"

const request: LlmRequest = {
  model: "gpt-4o",
  messages: [{ role: "user", content: "Hello" }],
  temperature: 0,
  maxTokens: 100,
}

const body = (fields: Partial<LlmRequest>) => OpenAiMessages.toBody({ ...request, ...fields }, "max_tokens")

const decode = (response: unknown) => OpenAiMessages.decode(JSON.stringify(response), partialParse)

const choice = (message: object, finish: string | null = "stop") => ({
  model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason: finish }],
  usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 },
})

describe("OpenAiMessages.toBody", () => {
  it("what the request leaves out goes out", () => {
    expect(body({ temperature: null, tools: [] })).toEqual({
      model: "gpt-4o",
      max_tokens: 100,
      messages: [{ role: "user", content: "Hello" }],
    })
  })

  it("the system's words, tools or the wanted shape are lost", () => {
    const schema = { type: "object" }
    expect(
      body({
        system: "Be brief.",
        tools: [
          { name: "look", description: "Looks.", inputSchema: schema },
          { name: "go", inputSchema: schema },
        ],
        responseFormat: { name: "my answer", schema },
      }),
    ).toMatchObject({
      temperature: 0,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hello" },
      ],
      tools: [
        { type: "function", function: { name: "look", description: "Looks.", parameters: schema } },
        { type: "function", function: { name: "go", parameters: schema } },
      ],
      response_format: { type: "json_schema", json_schema: { name: "my_answer", schema } },
    })
  })

  it("a tool's call and result stand in the wrong place, or change", () => {
    const { messages } = body({
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "Look" },
            { type: "text", text: "twice." },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "text", text: "I will." },
            { type: "tool_use", id: "a", name: "look", input: { at: "sea" } },
            { type: "tool_use", id: "b", name: "look", input: "the sky" },
          ],
        },
        {
          role: "user",
          content: [
            { type: "text", text: "And?" },
            { type: "tool_result", tool_use_id: "a", content: "blue" },
            { type: "tool_result", tool_use_id: "b", content: "no such place", is_error: true },
          ],
        },
        { role: "assistant", content: [{ type: "tool_use", id: "c", name: "go", input: {} }] },
      ],
    })
    expect(messages).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "Look" },
          { type: "text", text: "twice." },
        ],
      },
      {
        role: "assistant",
        content: "I will.",
        tool_calls: [
          { id: "a", type: "function", function: { name: "look", arguments: '{"at":"sea"}' } },
          { id: "b", type: "function", function: { name: "look", arguments: '"the sky"' } },
        ],
      },
      { role: "tool", tool_call_id: "a", content: "blue" },
      { role: "tool", tool_call_id: "b", content: "Error: no such place" },
      { role: "user", content: "And?" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c", type: "function", function: { name: "go", arguments: "{}" } }],
      },
    ])
  })
})

describe("OpenAiMessages.decode", () => {
  const ends: ReadonlyArray<readonly [string | null, string]> = [
    ["stop", "stop"],
    ["length", "length"],
    ["tool_calls", "tool_calls"],
    ["function_call", "tool_calls"],
    ["content_filter", "error"],
    ["eos", "stop"],
    [null, "stop"],
  ]
  for (const [word, finishReason] of ends)
    it(`the end ${word} is not ${finishReason}`, () => {
      const decoded = Either.getOrThrow(decode(choice({ content: "Hi" }, word)))
      expect(decoded).toMatchObject({ finishReason, stopReason: word, model: "gpt-4o-2024-08-06" })
    })

  it("a call that ends with stop passes for an answer, or its arguments are lost", () => {
    const call = (id: string | null, given: unknown) => ({
      id,
      type: "function",
      function: { name: "look", arguments: given },
    })
    const decoded = Either.getOrThrow(
      decode(
        choice({
          content: null,
          tool_calls: [call("a", '{"at":1}'), call(null, '{"at":0}'), call("c", ""), call("d", { at: 2 })],
        }),
      ),
    )
    expect(decoded.finishReason).toBe("tool_calls")
    expect(decoded.content).toEqual([
      { type: "tool_use", id: "a", name: "look", input: { at: 1 } },
      { type: "tool_use", id: "call_2", name: "look", input: { at: 0 } },
      { type: "tool_use", id: "c", name: "look", input: {} },
      { type: "tool_use", id: "d", name: "look", input: { at: 2 } },
    ])
    const legacy = Either.getOrThrow(
      decode(choice({ content: null, function_call: { name: "look", arguments: "{}" } })),
    )
    expect(legacy.content).toEqual([{ type: "tool_use", id: "call_1", name: "look", input: {} }])
  })

  it("a tool call that is no JSON passes for an answer, is thrown away with its money, or one that was cut is lost", () => {
    const calling = (finish: string) => {
      const tool_calls = [{ id: "a", type: "function", function: { name: "look", arguments: '{"at":"se' } }]
      return decode(choice({ content: "I will.", tool_calls }, finish))
    }
    expect(calling("tool_calls")).toMatchObject(
      Either.left({
        reason: "MalformedResponse",
        retryable: true,
        detail: "the input of tool call look is not JSON",
        usage: { uncachedInput: 10, output: 5, source: "provider" },
      }),
    )
    expect(Either.getOrThrow(calling("length"))).toMatchObject({
      finishReason: "length",
      content: [{ text: "I will." }, { type: "tool_use", name: "look", input: { at: "se" } }],
    })
  })

  it("an error under a status of success is a malformed answer, or tried again in vain", () => {
    const told = (error: unknown) => Either.getOrThrow(Either.flip(decode({ error })))
    expect(told({ message: "Slow down", code: 429 })).toMatchObject({
      ...{ reason: "RateLimited", detail: "Slow down", again: true, retryable: true },
    })
    expect(told({ message: "No such model", code: "404" })).toMatchObject({ reason: "NotFound", again: false })
    expect(told({ message: "Wrong", type: "invalid_request_error" })).toMatchObject({
      ...{ reason: "InvalidRequest", retryable: false },
    })
    expect(told({ message: "Pay", code: "insufficient_quota" })).toMatchObject({
      ...{ reason: "RateLimited", retryable: false },
    })
    expect(told("The engine stopped")).toMatchObject({
      reason: "ServerError",
      detail: "The engine stopped",
      again: true,
    })
  })

  it("a refusal passes for an answer, or for no answer at all", () => {
    const decoded = Either.getOrThrow(decode(choice({ content: null, refusal: "I will not." })))
    expect(decoded).toMatchObject({ finishReason: "error", stopReason: "refusal", content: [{ text: "I will not." }] })
    const filtered = Either.getOrThrow(decode(choice({ content: "" }, "content_filter")))
    expect(OpenAiMessages.isEmpty(filtered)).toBe(false)
    expect(OpenAiMessages.isEmpty(Either.getOrThrow(decode(choice({ content: " " }))))).toBe(true)
  })

  it("content in parts is lost, a tier is not told, or cached tokens count twice", () => {
    const parts = [
      { type: "text", text: "Hi " },
      { type: "thinking", thinking: [] },
      { type: "text", text: "there" },
    ]
    const usage = { prompt_tokens: 10, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 4 } }
    const decoded = Either.getOrThrow(decode({ ...choice({ content: parts }), usage, service_tier: "flex" }))
    expect(decoded.content).toEqual([{ type: "text", text: "Hi there" }])
    expect(decoded.usage).toMatchObject({ uncachedInput: 6, cacheRead: 4, output: 5, serviceTier: "flex" })
  })

  it("what is no chat completion passes for one", () => {
    expect(OpenAiMessages.decode("<html>", partialParse)).toMatchObject(
      Either.left({ reason: "MalformedResponse", detail: "the answer is text that is not JSON" }),
    )
    for (const other of [{ choices: [] }, [1], null, { error: null }, { choices: [{ text: "old" }] }])
      expect(decode(other)).toMatchObject(
        Either.left({ reason: "MalformedResponse", detail: "the answer is JSON that is no chat completion" }),
      )
    const usage = { prompt_tokens: 10, completion_tokens: 5 }
    expect(decode({ choices: [{ finish_reason: "content_filter" }], usage }), "and costs nothing").toMatchObject(
      Either.left({ usage: { uncachedInput: 10, output: 5, source: "provider" } }),
    )
  })
})
