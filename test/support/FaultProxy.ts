import * as net from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** What the proxy does with what passes through it, from the moment it is set. */
export type Mode =
  | { readonly kind: "pass" }
  /** Nobody listens: connections are refused, open ones are cut. */
  | { readonly kind: "refuse" }
  /** Connections are accepted and read; nothing is handed on and nothing is answered, on them for good. */
  | { readonly kind: "hang" }
  /** The answer trickles. */
  | { readonly kind: "slow"; readonly bytesPerSecond: number }
  /** Each connection is reset after so many bytes of the request, or of the answer: then the server has done what was asked. */
  | { readonly kind: "reset"; readonly of: "request" | "answer"; readonly after: number }

export interface Counters {
  readonly openNow: number
  readonly mostAtOnce: number
  readonly total: number
  /** Connections that the proxy itself reset. */
  readonly resets: number
  /** Requests whose head came in a piece of its own, as HTTP clients send it. */
  readonly requests: number
  readonly requestBytes: number
  readonly answerBytes: number
}

export interface FaultProxy {
  readonly url: string
  /** Returns when the mode holds; for `refuse` and back that takes a moment. */
  readonly set: (mode: Mode) => Promise<void>
  readonly counters: () => Counters
  /** Starts counting the most connections at once anew. */
  readonly forgetPeak: () => void
  readonly close: () => Promise<void>
}

const TICK_MILLIS = 1000
const HEAD_BYTES = 32
const REQUEST_HEAD = /^(GET|POST|PATCH|PUT|DELETE) \//

interface State {
  mode: Mode
  readonly counts: Record<"openNow" | "mostAtOnce" | "total" | "resets" | "requests" | "up" | "down", number>
  readonly links: Set<Link>
}

/** One connection and its counterpart on the server's side. */
class Link {
  readonly #state: State
  readonly #client: net.Socket
  readonly #server: net.Socket
  #silent = false
  #waiting = Buffer.alloc(0)
  #ended = false
  #timer: NodeJS.Timeout | undefined
  #up = 0
  #down = 0

  constructor(state: State, client: net.Socket, upstream: net.NetConnectOpts) {
    this.#state = state
    this.#client = client
    this.#server = net.connect(upstream)
    client.setNoDelay(true)
    this.#server.setNoDelay(true)
    client.on("data", (bytes: Buffer) => this.#onRequest(bytes))
    this.#server.on("data", (bytes: Buffer) => this.#onAnswer(bytes))
    client.on("end", () => this.#onRequestEnd())
    this.#server.on("end", () => this.#onAnswerEnd())
    client.on("drain", () => this.#server.resume())
    this.#server.on("drain", () => client.resume())
    for (const socket of [client, this.#server]) socket.on("error", () => this.cut())
    client.on("close", () => this.#closed())
    this.modeChanged()
  }

  /** What has passed on this connection before does not count for the new mode. */
  readonly modeChanged = (): void => {
    this.#up = 0
    this.#down = 0
    const { kind } = this.#state.mode
    if (kind === "refuse") this.cut()
    if (kind === "hang") this.#silent = true
    if (kind !== "slow") this.#flush()
  }

  readonly cut = (): void => {
    this.#client.destroy()
    this.#server.destroy()
  }

  readonly #reset = (): void => {
    this.#state.counts.resets += 1
    this.#client.resetAndDestroy()
    this.#server.end()
  }

  readonly #closed = (): void => {
    clearInterval(this.#timer)
    this.#state.links.delete(this)
    this.#state.counts.openNow -= 1
    this.#server.end()
  }

  readonly #onRequest = (bytes: Buffer): void => {
    this.#state.counts.up += bytes.length
    if (REQUEST_HEAD.test(bytes.toString("latin1", 0, HEAD_BYTES))) this.#state.counts.requests += 1
    if (this.#silent) return
    const { mode } = this.#state
    const room = mode.kind === "reset" && mode.of === "request" ? mode.after - this.#up : Number.POSITIVE_INFINITY
    this.#up += bytes.length
    if (bytes.length <= room) {
      if (!this.#server.write(bytes)) this.#client.pause()
      return
    }
    this.#server.write(bytes.subarray(0, Math.max(0, room)))
    this.#reset()
  }

  readonly #onAnswer = (bytes: Buffer): void => {
    if (this.#silent || this.#client.destroyed) return
    const { mode } = this.#state
    if (mode.kind === "slow" || this.#waiting.length > 0) {
      this.#waiting = Buffer.concat([this.#waiting, bytes])
      if (mode.kind === "slow") this.#trickle(mode.bytesPerSecond)
      else this.#flush()
      return
    }
    const room = mode.kind === "reset" && mode.of === "answer" ? mode.after - this.#down : Number.POSITIVE_INFINITY
    this.#down += bytes.length
    this.#give(bytes.subarray(0, Math.max(0, room)))
    if (bytes.length > room) this.#reset()
  }

  /** An HTTP client that ends its side has given the answer up. */
  readonly #onRequestEnd = (): void => {
    if (this.#silent || this.#waiting.length > 0) this.cut()
    else this.#server.end()
  }

  readonly #onAnswerEnd = (): void => {
    this.#ended = true
    if (this.#waiting.length === 0 && !this.#silent) this.#client.end()
  }

  readonly #give = (bytes: Buffer): void => {
    this.#state.counts.down += bytes.length
    if (bytes.length > 0 && !this.#client.write(bytes)) this.#server.pause()
  }

  readonly #trickle = (bytesPerSecond: number): void => {
    this.#timer ??= setInterval(() => {
      this.#give(this.#waiting.subarray(0, 1))
      this.#waiting = this.#waiting.subarray(1)
      if (this.#waiting.length === 0) this.#flush()
    }, TICK_MILLIS / bytesPerSecond)
  }

  readonly #flush = (): void => {
    clearInterval(this.#timer)
    this.#timer = undefined
    const bytes = this.#waiting
    this.#waiting = Buffer.alloc(0)
    if (this.#silent) return
    this.#give(bytes)
    if (this.#ended) this.#client.end()
  }
}

const listen = (server: net.Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject)
      const address = server.address()
      resolve(typeof address === "object" && address !== null ? address.port : 0)
    })
  })

const stopListening = (server: net.Server): Promise<void> =>
  server.listening ? new Promise((resolve) => server.close(() => resolve())) : Promise.resolve()

/** A proxy on a free port before the server of an address. It passes everything through until it is told otherwise. */
export const open = async (upstream: string): Promise<FaultProxy> => {
  const { hostname, port: upstreamPort } = new URL(upstream)
  const state: State = {
    mode: { kind: "pass" },
    counts: { openNow: 0, mostAtOnce: 0, total: 0, resets: 0, requests: 0, up: 0, down: 0 },
    links: new Set(),
  }
  const { counts, links } = state
  const server = net.createServer({ allowHalfOpen: true }, (client) => {
    counts.total += 1
    counts.openNow += 1
    counts.mostAtOnce = Math.max(counts.mostAtOnce, counts.openNow)
    links.add(new Link(state, client, { host: hostname, port: Number(upstreamPort) }))
  })
  const port = await listen(server, 0)
  const cutAll = (): void => {
    for (const link of links) link.cut()
  }
  return {
    url: `http://127.0.0.1:${port}`,
    set: async (mode) => {
      state.mode = mode
      for (const link of links) link.modeChanged()
      if (mode.kind === "refuse") await stopListening(server)
      else if (!server.listening) await listen(server, port)
    },
    counters: () => ({
      openNow: counts.openNow,
      mostAtOnce: counts.mostAtOnce,
      total: counts.total,
      resets: counts.resets,
      requests: counts.requests,
      requestBytes: counts.up,
      answerBytes: counts.down,
    }),
    forgetPeak: () => {
      counts.mostAtOnce = counts.openNow
    },
    close: async () => {
      cutAll()
      await stopListening(server)
    },
  }
}

/** {@link open}, closed with the scope. */
export const serve = (upstream: string): Effect.Effect<FaultProxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => open(upstream)),
    (proxy) => Effect.promise(proxy.close),
  )
