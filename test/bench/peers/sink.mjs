// One HTTP server for all: takes everything, answers what each SDK needs to go on, and counts what came.
import { createServer } from "node:http"
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib"

const CALL = /overhead-call-\d{6}/g
const seen = new Set()
let bytes = 0
let requests = 0
let events = 0

const plain = (body, encoding) => {
  if (encoding === "gzip") return gunzipSync(body)
  if (encoding === "deflate") return inflateSync(body)
  return encoding === "br" ? brotliDecompressSync(body) : body
}

const organisation = (host) => ({
  org_info: [{ id: "o", name: "o", api_url: host, proxy_url: host, realtime_url: host, git_metadata: null }],
})

const answers = {
  "/api/apikey/login": (host) => organisation(host),
  "/api/project/register": () => ({ project: { id: "00000000-0000-4000-8000-000000000001", name: "overhead" } }),
  "/info": () => ({
    version: "0.12.0",
    batch_ingest_config: {
      use_multipart_endpoint: true,
      size_limit: 100,
      size_limit_bytes: 20_971_520,
      scale_up_nthreads_limit: 16,
      scale_up_qsize_trigger: 1000,
    },
  }),
  "/counts": () => ({ calls: seen.size, events, bytes, requests }),
  "/reset": () => {
    seen.clear()
    bytes = 0
    requests = 0
    events = 0
    return {}
  },
}

const operations = (text) => {
  const { ops } = JSON.parse(text)
  events += ops.filter(({ op }) => op === "event").length
  return { results: ops.map(({ op, event_id }) => ({ op, event_id, status: "stored" })) }
}

const server = createServer((request, response) => {
  const chunks = []
  request.on("data", (chunk) => chunks.push(chunk))
  request.on("end", () => {
    const body = Buffer.concat(chunks)
    const path = (request.url ?? "/").split("?")[0]
    const text = plain(body, request.headers["content-encoding"]).toString("latin1")
    for (const [name] of text.matchAll(CALL)) seen.add(name)
    bytes += body.length
    if (body.length > 0) requests += 1
    const host = `http://${request.headers.host}`
    const answer = path === "/api/v1/ops" ? operations(text) : (answers[path]?.(host) ?? {})
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify(answer))
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`))
process.stdin.on("end", () => process.exit(0)).resume()
