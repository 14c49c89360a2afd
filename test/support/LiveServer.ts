import { request as httpRequest } from "node:http"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore, type RunStoreService } from "../../services/RunStore.js"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"

/** A request as it goes over the wire: `rawHost` and header names are sent as they are. */
export interface Ask {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly chunked?: boolean
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into member by member, and a wrong shape fails the test
  readonly json: any
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One request over node:http, which lets a test choose headers that fetch forbids. */
export const ask = (url: string, options: Ask = {}): Effect.Effect<Answer, Error> =>
  Effect.async<Answer, Error>((resume) => {
    const { body } = options
    const length =
      body === undefined || options.chunked === true ? {} : { "content-length": String(Buffer.byteLength(body)) }
    const sending = httpRequest(
      url,
      { method: options.method ?? "GET", headers: { ...length, ...options.headers }, agent: false },
      (incoming) => {
        const parts: Array<Buffer> = []
        incoming.on("data", (part: Buffer) => parts.push(part))
        incoming.on("end", () => {
          const text = Buffer.concat(parts).toString("utf8")
          resume(
            Effect.succeed({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, json: parsed(text) }),
          )
        })
        incoming.on("error", (error) => resume(Effect.fail(error)))
      },
    )
    sending.on("error", (error) => resume(Effect.fail(error)))
    sending.end(body)
  })

/** A write with a JSON body. */
export const send = (method: string, url: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  ask(url, { method, body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } })

/** A real server over a real database file in a folder of its own, on a free port, until the scope closes. */
export const start = (settings: Partial<ServerSettings.ServerSettings> = {}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-server-" })
    const dbPath = path.join(folder, "store", "telemetry.sqlite")
    const store = yield* Layer.build(RunStoreSql.layer({ path: dbPath }))
    const server = yield* Effect.provide(Server.serve({ ...ServerSettings.defaults, port: 0, ...settings }), store)
    return { ...server, dbPath, store }
  }).pipe(Effect.provide(NodeContext.layer))

/** A run that is whole, with what the test cares about laid over it. */
export const run = (fields: Readonly<Record<string, unknown>> = {}) => ({
  event_id: "e-1",
  run_id: "run-001",
  agent_name: "launch.orchestrator",
  job_type: "launch",
  start_time: "2026-01-31T12:00:00Z",
  ...fields,
})

/** The store of a running server with some of its methods replaced. */
export const serveOver = (change: (store: RunStoreService) => Partial<RunStoreService>) =>
  Effect.gen(function* () {
    const { store } = yield* start()
    const real = Context.get(store, RunStore)
    return yield* Server.serve({ ...ServerSettings.defaults, port: 0 }).pipe(
      Effect.provideService(RunStore, { ...real, ...change(real) }),
    )
  })

/** The rows that a server gives for a query. */
export const rows = (url: string, query: string) => Effect.map(ask(`${url}/api/v1/runs?${query}`), ({ json }) => json)
