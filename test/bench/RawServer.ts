// What somebody would write by hand who wants the same rows: node:http, JSON.parse, better-sqlite3, no validation library.
// `node RawServer.mjs <database>`: the database is a fresh one of ours. It says its address and ends with SIGTERM.
import * as http from "node:http"
import type { Json } from "./RawRows.js"
import * as RawStore from "./RawStore.js"

const store = RawStore.open(String(process.argv[2]))

interface Reply {
  readonly status: number
  readonly body: unknown
}

const answer = (path: string | undefined, body: unknown): Reply => {
  if (path === "/api/v1/runs/batch") {
    const runs = body as ReadonlyArray<Json>
    const results = store.insert(runs)
    const inserted = results.filter((result) => result === "created").length
    return {
      status: 200,
      body: { inserted, duplicates: results.length - inserted, errors: [], total: results.length },
    }
  }
  if (path === "/api/v1/ops") {
    const { ops, client } = body as { readonly ops: ReadonlyArray<Json>; readonly client?: Json }
    return { status: 200, body: { results: store.apply(ops, client ?? {}) } }
  }
  if (path === "/api/v1/runs") {
    const run = body as Json
    const [status] = store.insert([run])
    return {
      status: status === "created" ? 201 : 200,
      body: { status, event_id: run["event_id"], run_id: run["run_id"] },
    }
  }
  return { status: 404, body: { detail: "not found" } }
}

const server = http.createServer((request, response) => {
  const parts: Array<Buffer> = []
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    const { status, body } = answer(request.url, JSON.parse(Buffer.concat(parts).toString("utf8")))
    const text = JSON.stringify(body)
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) })
    response.end(text)
  })
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "object" && address !== null) process.stdout.write(`http://127.0.0.1:${address.port}\n`)
})

process.once("SIGTERM", () => {
  server.closeAllConnections()
  server.close(() => {
    store.close()
    process.exit(0)
  })
})
