import { createServer, type Server, type ServerResponse } from "node:http"
import * as HttpIncomingMessage from "@effect/platform/HttpIncomingMessage"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { SANDBOX_FAULT_HEADER } from "../domain/SandboxHeader.js"
import * as ChatRequest from "./ChatRequest.js"
import * as Dialect from "./Dialect.js"
import * as Fault from "./Fault.js"
import * as FaultPlan from "./FaultPlan.js"
import * as Flow from "./Flow.js"
import * as MessagesRequest from "./MessagesRequest.js"
import * as Reply from "./Reply.js"

/** The sandbox could not start. `message` says why and what to do. */
export class SandboxError extends Data.TaggedError("SandboxError")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface SandboxOptions {
  /** Where to listen; the loopback address by default, so that nobody else reaches it. */
  readonly host?: string | undefined
  /** 0, the default, takes a free one. */
  readonly port?: number | undefined
  /** How to misbehave, request by request, such as `429:2*3,latency:500`; see `src/sandbox/README.md`. */
  readonly faults?: string | undefined
}

const MAX_BODY = 32 * 1024 * 1024
const decodeJson = Schema.decodeEither(Schema.parseJson(Schema.Unknown))

const header = (request: HttpServerRequest.HttpServerRequest, name: string): string | undefined => request.headers[name]

const hasKey = (request: HttpServerRequest.HttpServerRequest): boolean =>
  /\S/.test(header(request, "x-api-key") ?? "") || /^Bearer \S/i.test(header(request, "authorization") ?? "")

/** What a request asks, in which dialect; on the left what is wrong with it. */
type Read = Either.Either<
  { readonly request: MessagesRequest.MessagesRequest; readonly dialect: Dialect.Dialect },
  { readonly status: number; readonly words: string }
>

interface Route {
  /** Of errors. */
  readonly dialect: Dialect.Dialect
  readonly read: (request: HttpServerRequest.HttpServerRequest, body: unknown) => Read
}

const refused = (words: string, status = 400) => Either.left({ status, words })

const messagesRoute: Route = {
  dialect: Dialect.messages,
  read: (request, body) => {
    if (!hasKey(request)) return refused("x-api-key header is required", 401)
    const version = header(request, "anthropic-version")
    if (version === undefined) return refused("anthropic-version: header is required")
    return Either.mapBoth(MessagesRequest.decode(body, version), {
      onLeft: (words) => ({ status: 400, words }),
      onRight: (decoded) => ({ request: decoded, dialect: Dialect.messages }),
    })
  },
}

/** Needs no key, as most servers of this API that run on the same machine. */
const chatRoute: Route = {
  dialect: Dialect.chat(false),
  read: (_, body) =>
    Either.mapBoth(ChatRequest.decode(body), {
      onLeft: (words) => ({ status: 400, words }),
      onRight: ({ request, tellsUsage }) => ({ request, dialect: Dialect.chat(tellsUsage) }),
    }),
}

const ROUTES: ReadonlyMap<string, Route> = new Map([
  ["/v1/messages", messagesRoute],
  ["/v1/chat/completions", chatRoute],
])

/** What to mend where only the version is missing, or told twice: SDKs differ in whether their base URL has it. */
const hint = (path = ""): string => {
  const meant = `/v1${path.replace(/^(?:\/v1)+(?=\/)/, "")}`
  if (!ROUTES.has(meant) || meant === path) return ""
  const [verb, name] = path.startsWith("/v1/") ? ["remove", "without"] : ["add", "with"]
  return `, ${meant} is: ${verb} /v1 at the end of the base URL of your SDK, which wants it ${name} the version`
}

/** The reply to a request of a conversation. */
const converse = (
  request: HttpServerRequest.HttpServerRequest,
  route: Route,
  body: string,
  fault: Fault.Fault,
  requestId: string,
): Reply.Reply => {
  const asked = { dialect: route.dialect, requestId }
  const raw = decodeJson(body)
  const read = Either.isLeft(raw) ? refused("The request body is not valid JSON") : route.read(request, raw.right)
  return Either.match(read, {
    onLeft: ({ status, words }) => Reply.error(asked, status, words),
    onRight: ({ dialect, request: wanted }) => Reply.to(wanted, fault, { dialect, requestId }),
  })
}

/** Sends the first half of a reply and cuts the connection. */
const sendHalf = (response: ServerResponse, reply: Reply.Reply): Effect.Effect<never> =>
  Effect.zipRight(
    Effect.sync(() => {
      const bytes = Buffer.from(reply.body)
      response.writeHead(reply.status, { ...reply.headers, "content-length": bytes.length })
      response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => response.destroy())
    }),
    Effect.never,
  )

const send = (request: HttpServerRequest.HttpServerRequest, reply: Reply.Reply) => {
  const { flow, headers, part, status } = reply
  if (flow !== undefined) return Flow.send(NodeHttpServerRequest.toServerResponse(request), status, headers, flow)
  return part
    ? sendHalf(NodeHttpServerRequest.toServerResponse(request), reply)
    : Effect.succeed(
        HttpServerResponse.raw(Buffer.from(reply.body), {
          status: reply.status,
          headers: { ...reply.headers, "content-length": String(Buffer.byteLength(reply.body)) },
        }),
      )
}

const bodyOf = (request: HttpServerRequest.HttpServerRequest) =>
  HttpIncomingMessage.withMaxBodySize(request.text, Option.some(MAX_BODY))

const conversation = (
  request: HttpServerRequest.HttpServerRequest,
  route: Route,
  fault: Fault.Fault,
  requestId: string,
) =>
  Effect.gen(function* () {
    const body = yield* Effect.either(bodyOf(request))
    switch (fault.kind) {
      case "hang":
        return yield* Effect.never
      case "reset":
        yield* Effect.sync(() => NodeHttpServerRequest.toIncomingMessage(request).socket.resetAndDestroy())
        return yield* Effect.never
      case "latency":
        yield* Effect.sleep(fault.millis)
    }
    const reply = Either.isLeft(body)
      ? Reply.error({ dialect: route.dialect, requestId }, 413, "The request is larger than 32 MB or was cut")
      : converse(request, route, body.right, fault, requestId)
    return yield* send(request, reply)
  })

const application = (plans: FaultPlan.FaultPlans) => {
  let requests = 0
  return Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const requestId = `req_sandbox_${String(++requests).padStart(6, "0")}`
    const path = request.url.split("?")[0]
    if (request.method === "GET" && path === "/") return yield* send(request, Reply.identity(requestId))
    const route = ROUTES.get(path ?? "")
    if (request.method !== "POST" || route === undefined) {
      const asked = { dialect: Dialect.messages, requestId }
      return yield* send(
        request,
        Reply.error(asked, 404, `${request.method} ${path} is not in the sandbox${hint(path)}`),
      )
    }
    const fault = plans.next(header(request, SANDBOX_FAULT_HEADER))
    return Either.isLeft(fault)
      ? yield* send(request, Reply.error({ dialect: route.dialect, requestId }, 400, fault.left))
      : yield* conversation(request, route, fault.right, requestId)
  })
}

const cannotListen = (host: string, port: number, cause: unknown): SandboxError => {
  const root = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const code = root instanceof Error && "code" in root ? root.code : undefined
  const why =
    code === "EADDRINUSE"
      ? "the port is taken: choose another one, or 0 for a free one"
      : code === "EACCES"
        ? "this user may not take that port: choose one above 1023"
        : `${root instanceof Error ? root.message : String(root)}: choose another host or port`
  return new SandboxError({ message: `The sandbox cannot listen on ${host}:${port}: ${why}.`, cause })
}

/**
 * Runs the sandbox provider until its scope closes, then drops every connection: a local Messages API and a local
 * chat-completions API, deterministic and free, which says by the header `x-runledger-sandbox` what it is. Fails when it cannot listen or the fault plan is wrong.
 */
export const serve = Effect.fn("Sandbox.serve")(function* (
  options: SandboxOptions = {},
): Effect.fn.Return<{ readonly url: string }, SandboxError, Scope.Scope> {
  const { faults = "", host = "127.0.0.1", port = 0 } = options
  const plan = Fault.parse(faults)
  if (Either.isLeft(plan)) return yield* new SandboxError({ message: plan.left })
  const node: Server = createServer()
  const server = yield* NodeHttpServer.make(() => node, { host, port }).pipe(
    Effect.mapError((error) => cannotListen(host, port, error)),
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
  // A bare application is uninterruptible here, and a hanging request would outlive its connection.
  const app = Effect.interruptible(application(FaultPlan.make(plan.right)))
  yield* server.serve(app).pipe(Effect.withTracerEnabled(false))
  const { address } = server
  const bound = address._tag === "TcpAddress" ? address : { hostname: host, port }
  const name = bound.hostname.includes(":") ? `[${bound.hostname}]` : bound.hostname
  return { url: `http://${name}:${bound.port}` }
})
