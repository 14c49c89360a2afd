import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

const Op = Schema.Struct({ op: Schema.String, event_id: Schema.String }, { key: Schema.String, value: Schema.Unknown })
const Body = Schema.parseJson(
  Schema.Struct({ ops: Schema.Array(Op), client: Schema.Record({ key: Schema.String, value: Schema.Unknown }) }),
)
const decodeBody = Schema.decodeUnknownSync(Body)

export type ReceivedOp = typeof Op.Type

export interface Received {
  readonly path: string
  readonly authorization: string | undefined
  readonly bytes: number
  readonly ops: ReadonlyArray<ReceivedOp>
  readonly client: Readonly<Record<string, unknown>>
}

/** What the server does with a request: an answer, silence for ever, or a cut connection. */
export type Behaviour =
  | {
      readonly status: number
      readonly body?: unknown
      readonly headers?: Readonly<Record<string, string>>
      /** Operations that get an `error` result inside a 200. */
      readonly refuse?: (op: ReceivedOp) => boolean
    }
  | "hang"
  | "cut"

export interface OpsRecorder {
  readonly url: string
  readonly requests: Array<Received>
  /** Operations of the requests that were answered with 200, in order. */
  readonly applied: Array<ReceivedOp>
  /** How many connections were ever opened. */
  readonly connections: () => number
  /** Requests that the client gave up. */
  readonly aborted: () => number
  behave: (request: Received) => Behaviour
}

const read = (request: IncomingMessage): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")))
    request.on("error", reject)
  })

/** A server of operations that records what it gets and does with it as it is told: by default it accepts everything. */
export const serve: Effect.Effect<OpsRecorder, never, Scope.Scope> = Effect.gen(function* () {
  let connections = 0
  let aborted = 0
  const requests: Array<Received> = []
  const applied: Array<ReceivedOp> = []
  let recorder: OpsRecorder | undefined

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.on("close", () => {
      if (!response.writableEnded) aborted += 1
    })
    const text = await read(request)
    const received: Received = {
      path: request.url ?? "",
      authorization: request.headers.authorization,
      bytes: Buffer.byteLength(text),
      ...decodeBody(text),
    }
    requests.push(received)
    const behaviour = recorder?.behave(received) ?? { status: 200 }
    if (behaviour === "hang") return
    if (behaviour === "cut") {
      request.socket.destroy()
      return
    }
    const refuse = behaviour.refuse ?? (() => false)
    const results = received.ops.map(({ op, event_id }) => ({ op, event_id, status: "stored" }))
    const judged = received.ops.map((op, index) =>
      refuse(op) ? { op: op.op, event_id: op.event_id, status: "error", detail: "no such field" } : results[index],
    )
    if (behaviour.status === 200 && behaviour.body === undefined)
      applied.push(...received.ops.filter((op) => !refuse(op)))
    response.writeHead(behaviour.status, { "content-type": "application/json", ...behaviour.headers })
    response.end(JSON.stringify(behaviour.body ?? { results: judged }))
  }

  const server = yield* Effect.acquireRelease(
    Effect.async<ReturnType<typeof createServer>>((resume) => {
      const created = createServer((request, response) => {
        answer(request, response).catch(() => response.destroy())
      })
      created.on("connection", () => {
        connections += 1
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
  recorder = {
    url: `http://127.0.0.1:${port}`,
    requests,
    applied,
    connections: () => connections,
    aborted: () => aborted,
    behave: () => ({ status: 200 }),
  }
  return recorder
})

/** An address at which nothing listens: it was free a moment ago. */
export const closedUrl: Effect.Effect<string> = Effect.scoped(Effect.map(serve, ({ url }) => url))
