import { Anthropic } from "@anthropic-ai/sdk"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { OpenAI } from "openai"
import { SANDBOX_FAULT_HEADER, SANDBOX_HEADER, SANDBOX_VERSION } from "../../src/domain/SandboxHeader.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"
import { KEY } from "../support/Sandboxed.js"

const message = { model: "claude-sonnet-4-5", max_tokens: 100, messages: [{ role: "user", content: "One. Two." }] }
const headers = { "content-type": "application/json", "x-api-key": KEY, "anthropic-version": "2023-06-01" }

const post = (url: string, body: unknown, more: Readonly<Record<string, string>> = {}) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { ...headers, ...more },
      body: typeof body === "string" ? body : JSON.stringify(body),
    })
    const answer: unknown = await response.json()
    return { status: response.status, headers: response.headers, answer }
  })

describe("Sandbox", () => {
  it.scopedLive("streams the API's events in their order, and the official SDK puts them together", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.serve()
      const sdk = new Anthropic({ apiKey: KEY, baseURL: url, maxRetries: 0, logLevel: "off" })
      const { final, types } = yield* Effect.promise(async () => {
        const stream = sdk.messages.stream({
          model: "claude-opus-5",
          max_tokens: 100,
          messages: [{ role: "user", content: "One sentence. ".repeat(20) }],
        })
        const seen: Array<string> = []
        stream.on("streamEvent", (event) => seen.push(event.type))
        return { final: await stream.finalMessage(), types: seen }
      })
      expect(types.filter((type, index) => type !== types[index - 1])).toEqual([
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
      ])
      expect(final.stop_reason).toBe("end_turn")
      expect(final.content).toMatchObject([{ type: "text", text: "One sentence. One sentence. One sentence." }])
      expect(final.usage.output_tokens).toBeGreaterThan(5)
    }),
  )

  it.scopedLive("its chat completions are not what the official SDK reads, at once or as a stream", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.serve()
      const sdk = new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, maxRetries: 0, logLevel: "off" })
      const asked = {
        model: "gpt-4o",
        max_tokens: 100,
        messages: [
          { role: "developer" as const, content: "Be brief." },
          { role: "user" as const, content: [{ type: "text" as const, text: "One sentence. ".repeat(20) }] },
        ],
      }
      const { final, whole } = yield* Effect.promise(async () => ({
        whole: await sdk.chat.completions.create(asked),
        final: await sdk.chat.completions
          .stream({ ...asked, stream_options: { include_usage: true } })
          .finalChatCompletion(),
      }))
      expect(whole.choices[0]).toMatchObject({
        message: { role: "assistant", content: "One sentence. One sentence. One sentence." },
        finish_reason: "stop",
      })
      expect(final.choices[0]?.message.content).toBe(whole.choices[0]?.message.content)
      expect(final.usage).toEqual(whole.usage)
      expect(whole.usage?.total_tokens).toBe((whole.usage?.prompt_tokens ?? 0) + (whole.usage?.completion_tokens ?? 0))
    }),
  )

  it.scopedLive("a chat's tool call, its result and the wanted shape are misunderstood", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.serve()
      const chat = (body: object) =>
        Effect.promise(async () => {
          const response = await fetch(`${url}/v1/chat/completions`, {
            method: "POST",
            body: JSON.stringify({ model: "m", ...body }),
          })
          expect(response.headers.get("x-request-id")).toMatch(/^req_sandbox_/)
          expect(response.headers.get(SANDBOX_HEADER)).toBe(SANDBOX_VERSION)
          return { status: response.status, answer: await response.json() }
        })
      const question = { role: "user", content: "What is the weather?" }
      const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
      const tools = [{ type: "function", function: { name: "get_weather", parameters } }]
      const { answer: calling } = yield* chat({ messages: [question], tools, tool_choice: "required" })
      const [{ message, finish_reason }] = calling.choices
      expect(finish_reason).toBe("tool_calls")
      expect(JSON.parse(message.tool_calls[0].function.arguments)).toEqual({ city: "What is the weather?" })
      const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "It is mild." }
      const { answer: told } = yield* chat({ messages: [question, message, result], tools })
      expect(told.choices[0].message.content).toBe("It is mild.")
      const shape = { type: "json_schema", json_schema: { name: "weather", schema: parameters } }
      const { answer: shaped } = yield* chat({ messages: [question], response_format: shape })
      expect(JSON.parse(shaped.choices[0].message.content)).toEqual({ city: "What is the weather?" })
      const { answer: refused, status } = yield* chat({ messages: [] })
      expect(status).toBe(400)
      expect(refused).toMatchObject({
        error: { type: "invalid_request_error", message: expect.stringContaining("messages") },
      })
    }),
  )

  it.scopedLive("says what it is and names each request, in answers as in errors", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.serve({ faults: "ok,529" })
      const replies = [yield* post(url, message), yield* post(url, message), yield* post(url, "{")]
      expect(replies.map((reply) => reply.status)).toEqual([200, 529, 400])
      for (const reply of replies) {
        expect(reply.headers.get(SANDBOX_HEADER)).toBe(SANDBOX_VERSION)
        expect(reply.headers.get("request-id")).toMatch(/^req_/)
      }
      expect(new Set(replies.map((reply) => reply.headers.get("request-id"))).size).toBe(3)
    }),
  )

  it.scopedLive("refuses bad requests in the API's words", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.serve()
      const bad: ReadonlyArray<readonly [unknown, Readonly<Record<string, string>>, number, string]> = [
        [message, { "x-api-key": "" }, 401, "authentication_error"],
        ["not json", {}, 400, "invalid_request_error"],
        [{ ...message, max_tokens: 0 }, {}, 400, "invalid_request_error"],
        [{ ...message, messages: [] }, {}, 400, "invalid_request_error"],
        [{ ...message, messages: [{ role: "system", content: "x" }] }, {}, 400, "invalid_request_error"],
        [{ ...message, temperature: 0 }, { "anthropic-version": "2026-10-21" }, 400, "invalid_request_error"],
        [message, { [SANDBOX_FAULT_HEADER]: "explode" }, 400, "invalid_request_error"],
      ]
      for (const [body, more, status, type] of bad) {
        const reply = yield* post(url, body, more)
        expect(reply.status, JSON.stringify(body)).toBe(status)
        expect(reply.answer).toMatchObject({ type: "error", error: { type, message: expect.any(String) } })
      }
      const lost = yield* Effect.promise(() => fetch(`${url}/v1/models`))
      expect(lost.status).toBe(404)
      for (const [path, hint] of [
        ["/messages", "/v1/messages is: add /v1 at the end of the base URL"],
        ["/chat/completions", "/v1/chat/completions is: add /v1"],
        ["/v1/v1/messages", "/v1/messages is: remove /v1"],
      ]) {
        const missed = yield* Effect.promise(async () => (await fetch(`${url}${path}`, { method: "POST" })).text())
        expect(missed, path).toContain(hint)
      }
    }),
  )

  it.scopedLive("a request's own plan counts its own requests and leaves the server's alone", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.serve({ faults: "500" })
      const own = { [SANDBOX_FAULT_HEADER]: "429:3*2" }
      const first = yield* post(url, message, own)
      expect([first.status, first.headers.get("retry-after")]).toEqual([429, "3"])
      expect((yield* post(url, message, own)).status).toBe(429)
      expect((yield* post(url, message, own)).status).toBe(200)
      expect((yield* post(url, message)).status).toBe(500)
      expect((yield* post(url, message)).status).toBe(200)
    }),
  )

  it.scopedLive("a taken port and a wrong plan are told in words that say what to do", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox.serve()
      const taken = yield* Effect.flip(Effect.scoped(Sandbox.serve({ port: Number(new URL(url).port) })))
      expect(taken).toMatchObject({ _tag: "SandboxError", message: expect.stringContaining("port is taken") })
      const wrong = yield* Effect.flip(Effect.scoped(Sandbox.serve({ faults: "sulk" })))
      expect(wrong.message).toContain('"sulk" is not a fault')
    }),
  )

  it.scopedLive("closes at once although a request hangs, and frees its port", () =>
    Effect.gen(function* () {
      const url = yield* Effect.scoped(
        Effect.gen(function* () {
          const sandbox = yield* Sandbox.serve({ faults: "hang,ok" })
          yield* Effect.fork(Effect.ignore(post(sandbox.url, message)))
          expect((yield* post(sandbox.url, message, { [SANDBOX_FAULT_HEADER]: "ok" })).status).toBe(200)
          return sandbox.url
        }),
      )
      yield* Effect.scoped(Sandbox.serve({ port: Number(new URL(url).port) }))
    }),
  )
})
