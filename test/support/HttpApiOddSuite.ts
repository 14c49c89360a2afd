import { expect, it } from "@effect/vitest"
import type { Over } from "./HttpApiWriteSuite.js"
import type { PlainClient } from "./PlainClient.js"

const REQUIRED = '"run_id":"r","agent_name":"a","job_type":"j","start_time":"2026-01-01T00:00:00Z"'

/** Every way a field of a run comes in: the same text gives the same row, or the same refusal. */
const WAYS: Readonly<Record<string, (client: PlainClient, id: string, field: string) => Promise<boolean>>> = {
  one: async ({ status }, id, field) =>
    (await status("POST", "/api/v1/runs", { text: `{"event_id":"${id}",${REQUIRED},${field}}` })) === 201,
  batch: async ({ ask }, id, field) =>
    (await ask("POST", "/api/v1/runs/batch", { text: `[{"event_id":"${id}",${REQUIRED},${field}}]` })).json.inserted ===
    1,
  object: async ({ ask }, id, field) =>
    (await ask("POST", "/api/v1/runs/batch", { text: `{"runs":[{"event_id":"${id}",${REQUIRED},${field}}]}` })).json
      .inserted === 1,
  create: async ({ ask }, id, field) => {
    const reply = await ask("POST", "/api/v1/ops", {
      text: `{"ops":[{"op":"create","event_id":"${id}",${REQUIRED},${field}}]}`,
    })
    return reply.json.results[0].status === "created"
  },
  update: async ({ ask }, id, field) => {
    const create = `{"op":"create","event_id":"${id}",${REQUIRED}}`
    const reply = await ask("POST", "/api/v1/ops", {
      text: `{"ops":[${create},{"op":"update","event_id":"${id}",${field}}]}`,
    })
    return reply.json.results[1].status === "updated"
  },
  patch: async ({ ask, status }, id, field) => {
    await ask("POST", "/api/v1/runs", { text: `{"event_id":"${id}",${REQUIRED}}` })
    return (await status("PATCH", `/api/v1/runs/${id}`, { text: `{${field}}` })) === 200
  },
}

const FAITHFUL: ReadonlyArray<readonly [string, string, object | undefined]> = [
  ["NUL", '"error_summary":"a\\u0000b"', { error_summary: "a\u0000b" }],
  ["a lone surrogate", '"error_details":"\\ud83d!"', { error_details: "\ud83d!" }],
  ["odd text inside JSON", '"context_json":{"x\\u0000":"\\udc00"}', { context_json: { "x\u0000": "\udc00" } }],
  ["__proto__", '"metrics_json":{"__proto__":{"polluted":true},"constructor":1}', undefined],
  ["a duplicate key", '"input_summary":"first","input_summary":"second"', { input_summary: "second" }],
  ["the largest double", '"metrics_json":{"n":1.7976931348623157e308}', { metrics_json: { n: Number.MAX_VALUE } }],
  ["a line separator", '"output_summary":"\\u2028\\n\\r"', { output_summary: "\u2028\n\r" }],
]

const REFUSED: ReadonlyArray<readonly [string, string]> = [
  ["a number beyond every double", '"metrics_json":{"n":1e999}'],
  ["a count beyond exact integers", '"duration_ms":9007199254740993'],
  ["a count that is no integer", '"items_failed":0.5'],
  ["a count as a text", '"items_failed":"1"'],
  ["JSON that is no object", '"context_json":"{}"'],
]

/** What is odd comes back exactly, or is refused: on each way in alike. */
export const oddities = (over: Over): void => {
  it.live("odd values are changed on the way in or out, or one route takes what another refuses", () =>
    over(async (client) => {
      for (const [way, write] of Object.entries(WAYS)) {
        for (const [index, [name, field, wanted]] of FAITHFUL.entries()) {
          const id = `${way}-${index}`
          expect(await write(client, id, field), `${way}: ${name}`).toBe(true)
          const { json, text } = await client.get(`/api/v1/runs/${id}`)
          if (wanted === undefined) expect(text, `${way}: ${name}`).toContain(field)
          else expect(json, `${way}: ${name}`).toMatchObject(wanted)
        }
        for (const [index, [name, field]] of REFUSED.entries()) {
          expect(await write(client, `${way}-no-${index}`, field), `${way}: ${name}`).toBe(false)
        }
      }
      expect({}).not.toHaveProperty("polluted")
    }),
  )

  it.live("an id that is odd cannot be asked for, or leads to another run", () =>
    over(async ({ post, get, status }) => {
      const ids = ["a/b", "a%2Fb", "a b", "ü?#&", "..", "\u{1F600}".repeat(60)]
      for (const event_id of ids) {
        const { status: created } = await post("/api/v1/runs", {
          event_id,
          run_id: `of ${event_id}`,
          agent_name: "a",
          job_type: "j",
          start_time: "2026-01-01T00:00:00Z",
        })
        expect(created, event_id).toBe(201)
      }
      for (const event_id of ids.filter((one) => one !== "..")) {
        expect((await get(`/api/v1/runs/${encodeURIComponent(event_id)}`)).json.event_id, event_id).toBe(event_id)
      }
      expect(await status("GET", "/api/v1/runs/%ff")).toBeLessThan(500)
      expect(await status("GET", "/api/v1/runs/%")).toBeLessThan(500)
      for (const bad of ["\u0000", "\ud83d"]) {
        expect(
          (
            await post("/api/v1/runs", {
              event_id: bad,
              run_id: "r",
              agent_name: "a",
              job_type: "j",
              start_time: "2026-01-01T00:00:00Z",
            })
          ).status,
        ).toBe(422)
      }
    }),
  )
}
