import { createServer, type ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What the server does with a request: the events that it sends, and what comes after them. */
export interface Script {
  readonly events: ReadonlyArray<object>
  readonly ending: "end" | "silence" | "reset"
}

export interface StreamServer {
  readonly url: string
  readonly requests: () => number
  /** How many connections were made. */
  readonly connections: () => number
  /** How many connections their other end has left within an answer. */
  readonly aborted: () => number
  /** Ends the silence of the answers in flight with these events. */
  readonly goOn: (events: ReadonlyArray<object>) => void
  script: Script
}

const wire = (event: object): string =>
  `event: ${"type" in event && typeof event.type === "string" ? event.type : ""}\ndata: ${JSON.stringify(event)}\n\n`

const USAGE = {
  input_tokens: 1000,
  cache_creation_input_tokens: 300,
  cache_read_input_tokens: 50,
  cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 200 },
}

/** The events of an answer: two pieces of text, cumulative counts, real money. */
export const ANSWER: ReadonlyArray<object> = [
  {
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-sonnet-4-5-20250929",
      content: [],
      stop_reason: null,
      usage: { ...USAGE, output_tokens: 1 },
    },
  },
  { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
  { type: "ping" },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "A ledger " } },
  { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "never forgets." } },
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 600 } },
  { type: "message_stop" },
]

/** A Messages API that streams what a test says, without the sandbox's header, so that its money looks real. */
export const serve: Effect.Effect<StreamServer, never, Scope.Scope> = Effect.gen(function* () {
  let requests = 0
  let aborted = 0
  let connections = 0
  const open = new Set<ServerResponse>()
  const model: Pick<StreamServer, "script"> = { script: { events: ANSWER, ending: "end" } }

  const answer = (response: ServerResponse, { events, ending }: Script): void => {
    response.write(events.map(wire).join(""), () => {
      if (ending === "end") response.end()
      if (ending === "reset") response.socket?.resetAndDestroy()
    })
  }

  const server = yield* Effect.acquireRelease(
    Effect.async<ReturnType<typeof createServer>>((resume) => {
      const created = createServer((request, response) => {
        requests += 1
        request.resume()
        open.add(response)
        response.on("close", () => {
          open.delete(response)
          if (!response.writableEnded && model.script.ending !== "reset") aborted += 1
        })
        request.on("end", () => {
          response.writeHead(200, { "content-type": "text/event-stream", "request-id": `req_${requests}` })
          response.flushHeaders()
          answer(response, model.script)
        })
      })
      created.on("connection", () => {
        connections += 1
      })
      created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
    }),
    (created) =>
      Effect.async<void>((resume) => {
        created.closeAllConnections()
        created.close(() => resume(Effect.void))
      }),
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return Object.assign(model, {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    connections: () => connections,
    aborted: () => aborted,
    goOn: (events: ReadonlyArray<object>) => {
      for (const response of open) answer(response, { events, ending: "end" })
    },
  })
})
