import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What came, as it came. */
export interface Delivery {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Receiver {
  readonly url: string
  readonly deliveries: ReadonlyArray<Delivery>
}

/** A receiver that answers the n-th request as told. */
export const serve = (
  answer: (nth: number, response: ServerResponse) => void,
): Effect.Effect<Receiver, never, Scope.Scope> =>
  Effect.gen(function* () {
    const deliveries: Array<Delivery> = []
    const server = yield* Effect.acquireRelease(
      Effect.async<ReturnType<typeof createServer>>((resume) => {
        const created = createServer((request, response) => {
          let body = ""
          request.on("data", (bytes: Buffer) => (body += bytes.toString("utf8")))
          request.on("end", () => {
            deliveries.push({ headers: request.headers, body })
            answer(deliveries.length, response)
          })
        })
        created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
      }),
      (open) =>
        Effect.sync(() => {
          open.closeAllConnections()
          open.close()
        }),
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return { url: `http://127.0.0.1:${port}/services/T0/secret-path-of-the-receiver`, deliveries }
  })
