import { partialParse } from "@anthropic-ai/sdk/_vendor/partial-json-parser/parser"
import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import { decode } from "../../layers/AnthropicMessages.js"
import { makeReader } from "../../layers/AnthropicStream.js"
import type { Told } from "../../layers/ProviderStream.js"
import * as Usage from "../../src/domain/Usage.js"

type Event = { readonly type: string } & Readonly<Record<string, unknown>>

const USAGE = {
  input_tokens: 1000,
  cache_creation_input_tokens: 300,
  cache_read_input_tokens: 50,
  cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
  output_tokens: 1,
}

const begin = (usage: unknown = USAGE): Event => ({
  type: "message_start",
  message: { id: "msg_1", type: "message", role: "assistant", model: "claude-sonnet-4-5", content: [], usage },
})
const block = (index: number, content_block: object): Event => ({ type: "content_block_start", index, content_block })
const delta = (index: number, piece: object): Event => ({ type: "content_block_delta", index, delta: piece })
const stop = (index: number): Event => ({ type: "content_block_stop", index })
const ending = (stop_reason: string, usage: unknown): Event => ({
  type: "message_delta",
  delta: { stop_reason, stop_sequence: null },
  usage,
})
const end: Event = { type: "message_stop" }

/** An answer with all that an answer may have: thinking, its signature, text, a citation, a tool call, unknown blocks and events. */
const FULL: ReadonlyArray<Event> = [
  begin(),
  { type: "ping" },
  block(0, { type: "thinking", thinking: "", signature: "" }),
  delta(0, { type: "thinking_delta", thinking: "Ledgers, " }),
  delta(0, { type: "thinking_delta", thinking: "then." }),
  delta(0, { type: "signature_delta", signature: "c2lnbmVk" }),
  stop(0),
  block(1, { type: "text", text: "" }),
  delta(1, { type: "text_delta", text: "A ledger " }),
  delta(1, { type: "citations_delta", citation: { type: "char_location" } }),
  delta(1, { type: "text_delta", text: "never forgets." }),
  stop(1),
  block(2, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }),
  delta(2, { type: "input_json_delta", partial_json: '{"query":"x"}' }),
  stop(2),
  block(3, { type: "tool_use", id: "toolu_1", name: "look_up", input: {} }),
  delta(3, { type: "input_json_delta", partial_json: "" }),
  delta(3, { type: "input_json_delta", partial_json: '{"entry":{"n":' }),
  delta(3, { type: "input_json_delta", partial_json: "17}}" }),
  stop(3),
  { type: "an_event_of_tomorrow", anything: true },
  ending("tool_use", { output_tokens: 300, output_tokens_details: { thinking_tokens: 120 } }),
  ending("tool_use", { input_tokens: null, output_tokens: 600, output_tokens_details: { thinking_tokens: 150 } }),
  end,
]

interface Outcome {
  readonly told: ReadonlyArray<Told>
  readonly wrong: { readonly reason: string; readonly detail: string; readonly again: boolean } | undefined
  readonly used: Usage.Usage
}

const readAll = (events: ReadonlyArray<Event>): Outcome => {
  const reader = makeReader(partialParse)
  const told: Array<Told> = []
  for (const event of events) {
    const read = reader.read({ event: event.type, data: JSON.stringify(event) })
    if (Either.isLeft(read)) return { told, wrong: read.left, used: reader.used() }
    told.push(...read.right)
  }
  return { told, wrong: undefined, used: reader.used() }
}

const answerOf = ({ told }: Outcome) => told.flatMap((one) => (one._tag === "Answered" ? [one.answer] : []))[0]

describe("the stream of the Messages API", () => {
  it("gives the answer that the same message in one piece gives", () => {
    const message = {
      type: "message",
      model: "claude-sonnet-4-5",
      content: [
        { type: "thinking", thinking: "Ledgers, then.", signature: "c2lnbmVk" },
        { type: "text", text: "A ledger never forgets." },
        { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "x" } },
        { type: "tool_use", id: "toolu_1", name: "look_up", input: { entry: { n: 17 } } },
      ],
      stop_reason: "tool_use",
      usage: { ...USAGE, output_tokens: 600, output_tokens_details: { thinking_tokens: 150 } },
    }
    expect(answerOf(readAll(FULL))).toEqual(Either.getOrThrow(decode(JSON.stringify(message))))
  })

  it("tells text, thinking and tool input piece by piece, each with its block", () => {
    const { told, wrong } = readAll(FULL)
    expect(wrong).toBeUndefined()
    expect(told.map(({ _tag }) => _tag)).toEqual([
      "Begun",
      ...["Thinking", "Thinking", "Text", "Text"],
      ...["ToolInput", "ToolInput", "ToolInput", "ToolInput"],
      ...["Used", "Used", "Answered"],
    ])
    expect(told[1]).toEqual({ _tag: "Thinking", index: 0, text: "Ledgers, " })
    expect(told[7]).toEqual({ _tag: "ToolInput", index: 3, id: "toolu_1", name: "look_up", json: '{"entry":{"n":' })
  })

  it("cut after any of its events it keeps what is billed for sure, and never more", () => {
    const whole = Usage.fromMessagesApi({
      ...USAGE,
      output_tokens: 600,
      output_tokens_details: { thinking_tokens: 150 },
    })
    for (let length = 0; length <= FULL.length; length++) {
      const { told, used } = readAll(FULL.slice(0, length))
      const output = length <= 0 ? 0 : length < 22 ? 1 : length < 23 ? 300 : 600
      if (length === 0) expect(used).toEqual(Usage.none)
      else {
        expect(used).toMatchObject({ uncachedInput: 1000, cacheWrite5m: 100, cacheWrite1h: 200, cacheRead: 50, output })
        expect(used.source).toBe(length === FULL.length ? "provider" : "lower_bound")
        expect(used.reasoning).toBeLessThanOrEqual(whole.reasoning)
      }
      expect(told.some(({ _tag }) => _tag === "Answered")).toBe(length === FULL.length)
    }
  })

  it("counts are overwritten, never added; what is left out, null or zero leaves the count before", () => {
    const counted = (...usages: ReadonlyArray<unknown>) =>
      readAll([
        begin(),
        block(0, { type: "text", text: "Yes." }),
        ...usages.map((usage) => ending("end_turn", usage)),
        end,
      ]).used
    expect(counted({ output_tokens: 10 }, { output_tokens: 25 })).toMatchObject({ output: 25, uncachedInput: 1000 })
    expect(counted({ output_tokens: 25, input_tokens: 1200, cache_read_input_tokens: 70 })).toMatchObject({
      uncachedInput: 1200,
      cacheRead: 70,
      cacheWrite1h: 200,
    })
    expect(
      counted({ output_tokens: 25, input_tokens: 0, cache_read_input_tokens: null, cache_creation_input_tokens: 0 }),
    ).toMatchObject({ uncachedInput: 1000, cacheRead: 50, cacheWrite5m: 100, cacheWrite1h: 200, output: 25 })
    expect(counted(undefined)).toMatchObject({ uncachedInput: 1000, output: 1, source: "lower_bound" })
  })

  it("a list within the counts is lost, and with it the tokens of a compaction", () => {
    const compaction = { type: "compaction", input_tokens: 5000, output_tokens: 400 }
    const iterations = [compaction, { type: "message", input_tokens: 1000, output_tokens: 25 }]
    const { used } = readAll([
      begin(),
      block(0, { type: "text", text: "Yes." }),
      ending("end_turn", { output_tokens: 25, iterations: [compaction] }),
      ending("end_turn", { output_tokens: 25, iterations }),
      end,
    ])
    expect(used).toEqual(Usage.fromMessagesApi({ ...USAGE, output_tokens: 25, iterations }))
    expect(used).toMatchObject({ uncachedInput: 6000, output: 425 })
  })

  it("a provider that tells no usage leaves it at none, and one that tells it at the end only is believed", () => {
    const told = readAll([begin(null), block(0, { type: "text", text: "Yes." }), ending("end_turn", undefined), end])
    expect(answerOf(told)?.usage).toEqual(Usage.none)
    const late = readAll([
      begin({ input_tokens: 0, output_tokens: 0 }),
      block(0, { type: "text", text: "Yes." }),
      ending("end_turn", { input_tokens: 40, output_tokens: 2 }),
      end,
    ])
    expect(late.used).toMatchObject({ uncachedInput: 40, output: 2, source: "provider" })
  })

  it("the input of a tool call: none is an empty object, a whole one at the start counts, a broken one fails the answer", () => {
    const inputOf = (stop_reason: string, input: unknown, ...pieces: ReadonlyArray<string>) =>
      readAll([
        begin(),
        block(0, { type: "tool_use", id: "t", name: "look_up", input }),
        ...pieces.map((partial_json) => delta(0, { type: "input_json_delta", partial_json })),
        ending(stop_reason, { output_tokens: 9 }),
        end,
      ])
    expect(answerOf(inputOf("tool_use", {}))?.content).toMatchObject([{ input: {} }])
    expect(answerOf(inputOf("tool_use", { n: 1 }))?.content).toMatchObject([{ input: { n: 1 } }])
    const broken = inputOf("tool_use", {}, '{"n": 1, "m": [2')
    expect(broken.wrong).toMatchObject({ reason: "MalformedResponse", again: false })
    expect(broken.wrong?.detail).toContain("look_up")
    expect(broken.used).toMatchObject({ output: 9 })
    expect(answerOf(inputOf("max_tokens", {}, '{"n": 1, "m": [2'))).toMatchObject({
      finishReason: "length",
      content: [{ input: { n: 1, m: [] } }],
    })
  })

  it("an error within the stream says whether another try may help", () => {
    const failing = (type: string) =>
      readAll([begin(), { type: "error", error: { type, message: "Overloaded, sorry" } }]).wrong
    expect(failing("overloaded_error")).toMatchObject({
      reason: "Overloaded",
      again: true,
      detail: "Overloaded, sorry",
    })
    expect(failing("rate_limit_error")).toMatchObject({ reason: "RateLimited", again: true })
    expect(failing("api_error")).toMatchObject({ reason: "ServerError", again: true })
    expect(failing("invalid_request_error")).toMatchObject({ reason: "InvalidRequest", again: false })
    expect(failing("a_new_error")).toMatchObject({ reason: "ServerError", again: true })
  })

  it("what is not in order is said to be so, not guessed", () => {
    const wrong = (...events: ReadonlyArray<Event>) => readAll(events).wrong?.detail
    expect(wrong(end)).toBe("the stream has no beginning")
    expect(wrong(begin(), begin())).toBe("the stream begins twice")
    expect(wrong(begin(), delta(4, { type: "text_delta", text: "?" }))).toBe("block 4 goes on without a beginning")
    expect(wrong(begin(), { type: "content_block_start", index: "x" })).toContain("content_block_start")
    expect(readAll([begin(), ending("end_turn", { output_tokens: 0 }), end]).wrong).toMatchObject({
      reason: "EmptyResponse",
    })
    expect(answerOf(readAll([begin(), ending("refusal", { output_tokens: 0 }), end]))).toMatchObject({
      finishReason: "error",
      stopReason: "refusal",
    })
  })
})
