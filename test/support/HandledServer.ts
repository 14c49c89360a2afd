import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** The address of a server whose handler the test writes; it closes with its scope, whatever is still open. */
export const serve = (handler: RequestListener): Effect.Effect<string, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.async<Server>((resume) => {
        const node = createServer()
        node.on("request", handler)
        node.listen(0, "127.0.0.1", () => resume(Effect.succeed(node)))
      }),
      (node) =>
        Effect.async<void>((resume) => {
          node.close(() => resume(Effect.void))
          node.closeAllConnections()
        }),
    ),
    (node) => {
      const address = node.address()
      return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    },
  )

/** A request as it came. */
export interface Seen {
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
  readonly path: string | undefined
}

/** A server of JSON requests that notes what it is asked and answers as told. */
export const answering = (answer: (response: ServerResponse) => void) =>
  Effect.gen(function* () {
    const seen: Array<Seen> = []
    const url = yield* serve((incoming, response) => {
      const chunks: Array<Buffer> = []
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
      incoming.on("end", () => {
        seen.push({ headers: incoming.headers, body: JSON.parse(Buffer.concat(chunks).toString()), path: incoming.url })
        answer(response)
      })
    })
    return { url, seen }
  })
