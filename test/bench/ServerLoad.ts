import * as http from "node:http"

/** What came back, and after how many milliseconds. */
export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  readonly millis: number
}

/** One kept-alive connection to a server. */
export interface Connection {
  readonly get: (path: string) => Promise<Answer>
  readonly post: (path: string, body: Buffer) => Promise<Answer>
  readonly close: () => void
}

const LONGEST_ANSWER_MILLIS = 60_000

export const connect = (url: string): Connection => {
  const { hostname, port } = new URL(url)
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (method: "GET" | "POST", path: string, body?: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { "content-type": "application/json", "content-length": body.length }
      const before = performance.now()
      const sending = http.request({ agent, hostname, port, method, path, headers }, (incoming) => {
        const parts: Array<Buffer> = []
        incoming.on("data", (part: Buffer) => parts.push(part))
        incoming.on("error", reject)
        incoming.on("end", () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts),
            millis: performance.now() - before,
          }),
        )
      })
      sending.setTimeout(LONGEST_ANSWER_MILLIS, () => sending.destroy(new Error(`${method} ${path} was not answered`)))
      sending.on("error", reject)
      sending.end(body)
    })
  return {
    get: (path) => ask("GET", path),
    post: (path, body) => ask("POST", path, body),
    close: () => agent.destroy(),
  }
}

/** Uses some connections at once, each in its own way. */
export const withConnections = async <A>(
  url: string,
  count: number,
  use: (connection: Connection, index: number) => Promise<A>,
): Promise<ReadonlyArray<A>> => {
  const connections = Array.from({ length: count }, () => connect(url))
  try {
    return await Promise.all(connections.map(use))
  } finally {
    for (const connection of connections) connection.close()
  }
}

/** Posts, and takes nothing but a success for an answer. */
export const write = async (connection: Connection, path: string, body: Buffer): Promise<Answer> => {
  const answer = await connection.post(path, body)
  if (answer.status >= 300)
    throw new Error(`${path} was answered with ${answer.status}: ${answer.body.toString("utf8", 0, 300)}`)
  return answer
}

/** Reads, and takes nothing but a 200 for an answer. */
export const read = async (connection: Connection, path: string): Promise<Answer> => {
  const answer = await connection.get(path)
  if (answer.status !== 200)
    throw new Error(`${path} was answered with ${answer.status}: ${answer.body.toString("utf8", 0, 300)}`)
  return answer
}
