import { createServer, type ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What the model's server does: answers with these counts, fails with a status, or never answers. */
export type MessagesBehaviour =
  | { readonly inputTokens: number; readonly outputTokens: number }
  | { readonly status: number; readonly message: string }
  | "hang"

export interface MessagesServer {
  readonly url: string
  readonly requests: () => number
  behave: MessagesBehaviour
  /** It answers only once this holds; at once, unless a test says otherwise. */
  answersWhen: () => boolean
}

const POLL_MILLIS = 5

const whenever = (holds: () => boolean, act: () => void): void => {
  if (holds()) act()
  else setTimeout(() => whenever(holds, act), POLL_MILLIS).unref()
}

const send = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json", "request-id": "req_1" })
  response.end(JSON.stringify(body))
}

const reply = (response: ServerResponse, behaviour: Exclude<MessagesBehaviour, "hang">): void => {
  if ("status" in behaviour) {
    send(response, behaviour.status, { type: "error", error: { type: "api_error", message: behaviour.message } })
    return
  }
  send(response, 200, {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-sonnet-4-5-20250929",
    content: [{ type: "text", text: "A ledger never forgets." }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: behaviour.inputTokens, output_tokens: behaviour.outputTokens },
  })
}

/** A Messages API with token counts of the test's choice; it bears no sandbox header, so its money looks real. */
export const serve: Effect.Effect<MessagesServer, never, Scope.Scope> = Effect.gen(function* () {
  let requests = 0
  const model: Pick<MessagesServer, "behave" | "answersWhen"> = {
    behave: { inputTokens: 1500, outputTokens: 3000 },
    answersWhen: () => true,
  }
  const server = yield* Effect.acquireRelease(
    Effect.async<ReturnType<typeof createServer>>((resume) => {
      const created = createServer((request, response) => {
        requests += 1
        request.resume()
        request.on("end", () => {
          whenever(
            () => model.answersWhen(),
            () => {
              if (model.behave !== "hang") reply(response, model.behave)
            },
          )
        })
      })
      created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
    }),
    (open) =>
      Effect.async<void>((resume) => {
        open.closeAllConnections()
        open.close(() => resume(Effect.void))
      }),
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return Object.assign(model, { url: `http://127.0.0.1:${port}`, requests: () => requests })
})
