import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import * as Server from "../../src/server/Server.js"
import type { ServerError } from "../../src/server/ServerError.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"

/** What goes wrong with one request. What was `applied` the client does not learn, or not at once. */
export type Fault =
  | { readonly kind: "answer"; readonly status: number; readonly retryAfter?: number; readonly applied: boolean }
  | { readonly kind: "reset" | "silence" | "gibberish"; readonly applied: boolean }
  | { readonly kind: "too large" }
  /** The network delivers the request a second time. */
  | { readonly kind: "twice" }

const Op = Schema.Struct({ op: Schema.String, event_id: Schema.String }, { key: Schema.String, value: Schema.Unknown })
const Body = Schema.parseJson(Schema.Struct({ ops: Schema.Array(Op) }, { key: Schema.String, value: Schema.Unknown }))
const readBody = Schema.decodeUnknownSync(Body)
const readReply = Schema.decodeUnknownSync(Schema.parseJson(Schema.Struct({ results: Schema.Array(Schema.Unknown) })))

export type WireOperation = typeof Op.Type

/** How an operation is refused for good: by itself, or with the whole request that holds it. */
export type Refusal = "operation" | "request"

/** A real server over a store. */
export interface Steady {
  readonly post: (path: string, body: string) => Promise<Response>
}

export const serve = (store: RunStoreService): Effect.Effect<Steady, ServerError, Scope.Scope> =>
  Effect.map(
    Effect.provideService(Server.serve({ ...ServerSettings.defaults, port: 0 }), RunStore, store),
    ({ url }) => ({
      post: (path, body) =>
        fetch(`${url}${path}`, { method: "POST", headers: { "content-type": "application/json" }, body }).then(
          async (response) => new Response(await response.text(), response),
        ),
    }),
  )

export interface UnsteadyServer {
  readonly client: HttpClient.HttpClient
  /** One fault a request, in order; a request without one is answered as it should be. */
  readonly faults: Array<Fault>
  /** Whether, and how, an operation is refused for good. */
  readonly refusal: (operation: WireOperation) => Refusal | undefined
  /** Requests that are being worked on. */
  readonly busy: () => number
}

const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } })

/** The real server, with those operations taken out that are refused for good, each answered for in its place. */
const judged = async (server: Steady, refusal: UnsteadyServer["refusal"], text: string): Promise<Response> => {
  const { ops, ...rest } = readBody(text)
  const refusals = ops.map(refusal)
  if (refusals.includes("request")) return json(422, { detail: "one of these operations cannot be taken" })
  const good = ops.filter((_, index) => refusals[index] === undefined)
  const response = await server.post("/api/v1/ops", JSON.stringify({ ...rest, ops: good }))
  if (response.status !== 200 || good.length === ops.length) return response
  const given = readReply(await response.text()).results[Symbol.iterator]()
  const results = ops.map(({ op, event_id }, index) =>
    refusals[index] === undefined ? given.next().value : { op, event_id, status: "error", detail: "refused for good" },
  )
  return json(200, { results })
}

const operationsOf = (text: string): number => readBody(text).ops.length

/** A client of a server that misbehaves as it is told. */
export const make = (server: Steady, refusal: UnsteadyServer["refusal"]): UnsteadyServer => {
  const faults: Array<Fault> = []
  let busy = 0

  const apply = (text: string): Promise<Response> => judged(server, refusal, text)

  /** The answer; `"reset"` for a broken connection, `"silence"` for none at all. */
  const serve = async (text: string): Promise<Response | "reset" | "silence"> => {
    const fault = faults.shift()
    if (fault === undefined) return apply(text)
    if (fault.kind === "twice") {
      await apply(text)
      return apply(text)
    }
    if (fault.kind === "too large") {
      return operationsOf(text) > 1 ? json(413, { detail: "too much at once" }) : apply(text)
    }
    if (fault.applied) await apply(text)
    if (fault.kind === "gibberish") return new Response("<html>welcome</html>", { status: 200 })
    if (fault.kind !== "answer") return fault.kind
    const headers = fault.retryAfter === undefined ? {} : { "retry-after": String(fault.retryAfter) }
    return json(fault.status, { detail: "not now" }, headers)
  }

  const counted = async (text: string): Promise<Response | "reset" | "silence"> => {
    busy += 1
    try {
      return await serve(text)
    } finally {
      busy -= 1
    }
  }

  const reset = (request: HttpClientRequest.HttpClientRequest): HttpClientError.HttpClientError =>
    new HttpClientError.RequestError({ request, reason: "Transport", cause: new Error("read ECONNRESET") })

  const client = HttpClient.make((request) => {
    const { body } = request
    if (body._tag !== "Uint8Array") return Effect.dieMessage(`a body of kind ${body._tag}`)
    const text = new TextDecoder().decode(body.body)
    return Effect.flatMap(
      Effect.promise(() => counted(text)),
      (answer) => {
        if (answer === "silence") return Effect.never
        if (answer === "reset") return Effect.fail(reset(request))
        return Effect.succeed(HttpClientResponse.fromWeb(request, answer))
      },
    )
  })

  return { client, faults, refusal, busy: () => busy }
}
