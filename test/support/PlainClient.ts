import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { expect } from "vitest"
import * as Server from "../../src/server/Server.js"
import * as ServerSettings from "../../src/server/ServerSettings.js"
import * as ApiDocumentCheck from "./ApiDocumentCheck.js"
import type { StoreLayer } from "./RunStores.js"

const SAFETY: Readonly<Record<string, RegExp>> = {
  "content-security-policy": /frame-ancestors 'none'/,
  "x-content-type-options": /^nosniff$/,
  "x-frame-options": /^DENY$/,
  "referrer-policy": /^no-referrer$/,
  "cache-control": /^no-store$/,
  "x-request-id": /^\S+$/,
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export interface Given {
  /** Sent as JSON. */
  readonly json?: unknown
  /** Sent to the letter. */
  readonly text?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What was asked of every server so far, such as `GET /health 200`. */
export const met = new Set<string>()

/** A client that knows nothing but HTTP, and holds every reply against the server's own document. */
const clientOf = (
  url: string,
  document: ApiDocumentCheck.ApiDocumentCheck,
  standing: Readonly<Record<string, string>>,
) => {
  const ask = async (method: string, path: string, given: Given = {}): Promise<ApiDocumentCheck.Reply> => {
    const body = given.text ?? (given.json === undefined ? undefined : JSON.stringify(given.json))
    const type: Readonly<Record<string, string>> = body === undefined ? {} : { "content-type": "application/json" }
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: "manual",
      headers: { ...type, ...standing, ...given.headers },
      ...(body === undefined ? {} : { body }),
    })
    const text = await response.text()
    const reply = { status: response.status, headers: response.headers, text, json: parsed(text) }
    for (const [name, pattern] of Object.entries(SAFETY)) {
      expect(response.headers.get(name) ?? "", `${method} ${path}: ${name}`).toMatch(pattern)
    }
    const operation = document.fits(method, path.split("?")[0] ?? path, reply)
    if (operation !== undefined) met.add(`${operation} ${reply.status}`)
    return reply
  }
  const status = async (method: string, path: string, given: Given = {}) => (await ask(method, path, given)).status
  return {
    url,
    document,
    ask,
    get: (path: string, headers: Readonly<Record<string, string>> = {}) => ask("GET", path, { headers }),
    post: (path: string, json: unknown) => ask("POST", path, { json }),
    patch: (path: string, json: unknown) => ask("PATCH", path, { json }),
    status,
    /** The ids of a list, in its order. */
    ids: async (query: string): Promise<ReadonlyArray<string>> =>
      (await ask("GET", `/api/v1/runs${query}`)).json.map((one: { readonly event_id: string }) => one.event_id),
  }
}

export type PlainClient = ReturnType<typeof clientOf>

/** A live server over a new store of a layer, and a plain client of it. */
export const serve = (
  fresh: StoreLayer["fresh"],
  settings: Partial<ServerSettings.ServerSettings> = {},
  headers: Readonly<Record<string, string>> = {},
) =>
  Effect.gen(function* () {
    const store = yield* Layer.build(yield* fresh)
    const { url } = yield* Effect.provide(Server.serve({ ...ServerSettings.defaults, port: 0, ...settings }), store)
    const text = yield* Effect.promise(async () => (await fetch(`${url}/openapi.json`, { headers })).text())
    return clientOf(url, ApiDocumentCheck.make(text), headers)
  })

/** A run that is whole, with what the test cares about laid over it. */
export const run = (event_id: string, fields: Readonly<Record<string, unknown>> = {}) => ({
  event_id,
  run_id: `run-${event_id}`,
  agent_name: "a",
  job_type: "launch",
  start_time: "2026-01-31T12:00:00.000Z",
  ...fields,
})
