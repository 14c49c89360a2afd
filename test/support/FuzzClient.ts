import * as http from "node:http"
import * as net from "node:net"

/** What came back. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly total: string | undefined
}

export interface Ask {
  readonly method: string
  /** As it goes over the wire. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer | undefined
  readonly chunked?: boolean
}

const LONGEST_MILLIS = 30_000
/** A server may wait for the rest of a broken request; the fuzz does not. */
const BROKEN_MILLIS = 250

/** One kept-alive connection, and more where bytes need one of their own. */
export class FuzzClient {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  readonly #url: URL

  constructor(url: string) {
    this.#url = new URL(url)
  }

  ask({ method, target, headers = {}, body, chunked = false }: Ask): Promise<Answer> {
    const length = body === undefined || chunked ? {} : { "content-length": String(body.length) }
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.#url
      const options = { agent: this.#agent, hostname, port, method, path: target, headers: { ...length, ...headers } }
      const sending = http.request(options, (incoming) => {
        const isEndless = String(incoming.headers["content-type"] ?? "").startsWith("text/event-stream")
        const parts: Array<Buffer> = []
        const finish = (): void =>
          resolve({
            status: incoming.statusCode ?? 0,
            text: Buffer.concat(parts).toString("utf8"),
            total: String(incoming.headers["x-total-count"] ?? ""),
          })
        incoming.on("data", (part: Buffer) => parts.push(part))
        incoming.on("error", reject)
        incoming.on("end", finish)
        if (isEndless) {
          finish()
          sending.destroy()
        }
      })
      sending.setTimeout(LONGEST_MILLIS, () => sending.destroy(new Error(`${method} ${target} was never answered`)))
      sending.on("error", reject)
      sending.end(body)
    })
  }

  /** Everything that a server says to some bytes. */
  bytes(bytes: Buffer): Promise<string> {
    const { hostname, port } = this.#url
    return new Promise((resolve) => {
      let said = ""
      const socket = net.connect({ host: hostname, port: Number(port) }, () => socket.end(bytes))
      socket.setTimeout(BROKEN_MILLIS, () => socket.destroy())
      socket.on("data", (part) => {
        said += part.toString("latin1")
      })
      socket.on("error", () => undefined)
      socket.on("close", () => resolve(said))
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
