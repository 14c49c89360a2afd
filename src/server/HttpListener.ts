import { createServer, type Server, type ServerResponse, STATUS_CODES } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { SAFE_HEADERS } from "./SecurityHeaders.js"

/** Bounds of what a connection may cost before anything of the program sees it. Milliseconds and bytes. */
export interface Limits {
  /** From the connection's first byte to the end of the headers. */
  readonly headersTimeout: number
  /** From the first byte to the end of the body. */
  readonly requestTimeout: number
  /** How often the two are looked at. */
  readonly checkEvery: number
  /** How long a connection is kept without a request: longer than proxies keep theirs, so that it is not closed under one of them. */
  readonly idleTimeout: number
  /** Of the request line and all headers together. */
  readonly headerBytes: number
}

export const LIMITS: Limits = {
  headersTimeout: 20_000,
  requestTimeout: 120_000,
  checkEvery: 5_000,
  idleTimeout: 75_000,
  headerBytes: 32 * 1024,
}

interface Refusal {
  readonly status: number
  readonly detail: string
}

const refusalOf = (code: string | undefined): Refusal => {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, detail: "The headers are too large." }
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, detail: "The request did not come in time. Send it again." }
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return { status: 413, detail: "The chunk extensions are too large." }
    default:
      return { status: 400, detail: "This is not an HTTP request that can be understood." }
  }
}

const asText = ({ status, detail }: Refusal): string => {
  const body = JSON.stringify({ detail })
  const headers = {
    ...SAFE_HEADERS,
    "content-type": "application/json",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`, ...lines, "", body].join("\r\n")
}

/**
 * Closes a connection that stood idle for too long. It is looked once more for what came while this process was held up: a request
 * that stands in the socket would be lost with it, and its client could not tell whether it was taken.
 */
const closeIdle = (socket: Socket): void => {
  const { bytesRead } = socket
  setImmediate(() => {
    if (socket.bytesRead === bytesRead) socket.destroy()
  })
}

/**
 * A node server that is not yet listening. What is no request, too large or too slow is answered as every other refusal is
 * (`{"detail": …}` with the safety headers) and its connection closed.
 */
export const create = (limits: Limits = LIMITS): Server => {
  const http = createServer({
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    connectionsCheckingInterval: limits.checkEvery,
    keepAliveTimeout: limits.idleTimeout,
    maxHeaderSize: limits.headerBytes,
    requireHostHeader: false,
  })
  const answering = new WeakMap<Duplex, ServerResponse>()
  http.on("request", (request, response) => {
    answering.set(request.socket, response)
    response.once("close", () => {
      if (answering.get(request.socket) === response) answering.delete(request.socket)
    })
  })
  http.on("timeout", closeIdle)
  http.on("checkExpectation", (_request, response) => {
    const body = JSON.stringify({ detail: "No Expect but 100-continue can be met." })
    response.writeHead(417, { ...SAFE_HEADERS, "content-type": "application/json", connection: "close" }).end(body)
  })
  http.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    const hasBegun = answering.get(socket)?.headersSent === true
    if (!socket.writable || hasBegun || error.code === "ECONNRESET") socket.destroy()
    else socket.end(asText(refusalOf(error.code)), () => socket.destroy())
  })
  return http
}
