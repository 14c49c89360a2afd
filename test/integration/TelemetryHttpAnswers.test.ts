import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Post from "../../layers/TelemetryHttpPost.js"
import { Telemetry } from "../../services/Telemetry.js"
import * as Sample from "../support/EventSamples.js"
import * as HandledServer from "../support/HandledServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { flush, http, record } from "../support/Shipping.js"
import { observedLog, over } from "../support/ShippingTime.js"
import * as WarningLog from "../support/WarningLog.js"

const TOKEN = "s3cret token/of-mine"
const token = Option.some(Redacted.make(TOKEN))

const ask = (url: string, secret: Option.Option<Redacted.Redacted<string>> = token) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    Post.make(client, { url: `${url}/api/v1/ops`, token: secret, timeout: "20 seconds" })(
      new TextEncoder().encode('{"ops":[],"client":{}}'),
    ),
  ).pipe(Effect.provide(FetchHttpClient.layer))

describe("TelemetryHttp: answers", () => {
  for (const endpoint of ["http://user:hunter2@host/?token=hunter3", "user:hunter2@host?token=hunter3"])
    it.scopedLive(`the warning about the endpoint ${endpoint} shows none of its secrets`, () =>
      Effect.gen(function* () {
        const log = WarningLog.make()
        yield* record(Sample.runCreated()).pipe(Effect.provide(http(endpoint)), Effect.provide(log.layer))
        expect(log.warnings()).toHaveLength(1)
        expect(log.all().join("\n")).not.toContain("hunter")
      }),
    )

  const echoes = [
    ["as it is", TOKEN],
    ["in a URL", encodeURIComponent(TOKEN)],
    ["with hidden characters inside", "s3cr\u200bet \u0007token/of-mine"],
    ["where a text is cut off", `${"x ".repeat(592)}${TOKEN}`],
  ] as const
  for (const [how, echo] of echoes)
    it.scopedLive(`a token that a server echoes ${how} reaches no warning, error or dead letter`, () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        const detail = `\u001b[31mBearer ${echo}`
        const answers: ReadonlyArray<OpsRecorder.Behaviour> = [
          { status: 401, body: { detail }, headers: { "retry-after": "0" } },
          { status: 503, body: { detail: { headers: { authorization: detail } } }, headers: { "retry-after": "0" } },
          { status: 307, headers: { location: `/?${echo.replace(/[^ -~]/g, "")}`, "retry-after": "0" } },
          { status: 422, body: { detail } },
          { status: 200, body: { results: [{ op: "event", event_id: "e", status: "error", detail }] } },
        ]
        server.behave = ({ ops }) =>
          answers[server.requests.length - 1] ?? {
            status: 200,
            body: { results: ops.map(({ op, event_id }) => ({ op, event_id, status: "error", detail })) },
          }
        const log = WarningLog.make()
        const { layer, letters } = yield* observedLog()
        const errors: Array<string | null> = []
        yield* Effect.gen(function* () {
          yield* record(Sample.runCreated())
          const telemetry = yield* Telemetry
          for (let n = 0; n < 200 && letters.length < 2; n++) {
            yield* flush("50 millis")
            errors.push((yield* telemetry.delivery).lastError)
          }
        }).pipe(Effect.provide(over(server, layer, { token })), Effect.provide(log.layer))
        expect(letters).toHaveLength(2)
        const said = [...log.all(), ...new Set(errors), JSON.stringify(letters)].join("\n")
        for (const status of ["401", "503", "307"]) expect(said).toContain(`answered ${status}`)
        expect(said.match(/.{0,60}(s3c|of-mine|s3cret).{0,60}/)?.[0]).toBeUndefined()
        expect(/\p{Cc}/u.exec(said.replaceAll("\n", ""))?.[0]).toBeUndefined()
      }),
    )

  it.scopedLive("a token that is no header's value is not quoted by the error about it", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      const reply = yield* ask(server.url, Option.some(Redacted.make(`s3cret${"0123456789".repeat(60)}\nof-mine`)))
      expect(reply).toMatchObject({ _tag: "Later", unreachable: true })
      expect(JSON.stringify(reply)).not.toMatch(/s3c|0123/)
      expect(server.requests).toHaveLength(0)
    }),
  )

  for (const status of [301, 302, 303, 307, 308])
    it.scopedLive(`a ${status} is not followed: neither the token nor the events go to a server nobody named`, () =>
      Effect.gen(function* () {
        const elsewhere = yield* OpsRecorder.serve
        const server = yield* OpsRecorder.serve
        const location = `${elsewhere.url.replace("http://", "http://user:pass@")}/api/v1/ops?token=x`
        server.behave = () => ({ status, headers: { location } })
        const reply = yield* ask(server.url)
        expect(reply).toMatchObject({
          _tag: "Later",
          status,
          unreachable: false,
          reason: `answered ${status}, redirects to ${elsewhere.url}/api/v1/ops; set TELEMETRY_API_URL to where the server is`,
        })
        expect([server.requests.length, elsewhere.requests.length]).toEqual([1, 0])
      }),
    )

  it.scopedLive("what others have set for fetch stays, but for redirects", () =>
    Effect.gen(function* () {
      let seen: RequestInit | undefined
      const spy: typeof fetch = (_url, init) => {
        seen = init
        return Promise.resolve(new Response('{"results":[]}'))
      }
      const reply = yield* ask("http://127.0.0.1:9").pipe(
        Effect.provideService(FetchHttpClient.Fetch, spy),
        Effect.provideService(FetchHttpClient.RequestInit, { cache: "no-store", redirect: "follow" }),
      )
      expect(reply._tag).toBe("Accepted")
      expect(seen).toMatchObject({ cache: "no-store", redirect: "manual" })
    }),
  )

  for (const status of [200, 503])
    it.scopedLive(`a ${status} whose body never ends is cut off after 4 MiB`, () =>
      Effect.gen(function* () {
        let sent = 0
        let isClosed = false
        const piece = Buffer.alloc(64 * 1024, 0x20)
        const url = yield* HandledServer.serve((_request, response) => {
          response.writeHead(status, { "content-type": "application/json" })
          response.on("close", () => {
            isClosed = true
          })
          const more = (): void => {
            while (!isClosed && sent < 256 * 1024 * 1024) {
              sent += piece.length
              if (!response.write(piece)) return void response.once("drain", more)
            }
          }
          more()
        })
        const reply = yield* ask(url)
        expect(reply).toMatchObject({ _tag: "Later", status, unreachable: false })
        expect(reply).toMatchObject({ reason: expect.stringContaining("more than 4194304 bytes") })
        for (let n = 0; n < 500 && !isClosed; n++) yield* Effect.sleep("10 millis")
        expect(isClosed).toBe(true)
        expect(sent).toBeLessThan(64 * 1024 * 1024)
      }),
    )

  it.scopedLive("an answer that speaks only of what went wrong is taken for all the rest", () =>
    Effect.gen(function* () {
      const server = yield* OpsRecorder.serve
      server.behave = ({ ops }) => ({
        status: 200,
        body: {
          operations: ops.length,
          results: ops.flatMap(({ op, event_id }, index) =>
            op === "create" ? [{ index, op, event_id, status: "error", detail: "no such field" }] : [],
          ),
        },
      })
      const { layer, letters } = yield* observedLog()
      const delivery = yield* Effect.gen(function* () {
        yield* record(Sample.runCreated())
        yield* record(Sample.issue(10))
        return yield* flush("5 seconds")
      }).pipe(Effect.provide(over(server, layer)), Effect.provide(WarningLog.make().layer))
      expect(delivery).toMatchObject({ delivered: 1, rejected: 1, undelivered: 0 })
      expect(letters).toMatchObject([{ op: "create", status: null, reason: "no such field" }])
    }),
  )

  const unfit = [
    ["says less operations than were sent", { operations: 1, results: [] }],
    [
      "speaks of one that was not sent",
      { operations: 2, results: [{ index: 2, op: "event", event_id: "e", status: "error" }] },
    ],
    ["says nothing of how many there were", { results: [] }],
  ] as const
  for (const [how, body] of unfit)
    it.scopedLive(`an answer that ${how} acknowledges nothing`, () =>
      Effect.gen(function* () {
        const server = yield* OpsRecorder.serve
        server.behave = () => ({ status: 200, body })
        const { layer } = yield* observedLog()
        const delivery = yield* Effect.gen(function* () {
          yield* record(Sample.issue(10))
          yield* record(Sample.issue(10))
          return yield* flush("300 millis")
        }).pipe(Effect.provide(over(server, layer)), Effect.provide(WarningLog.make().layer))
        expect(delivery).toMatchObject({ delivered: 0, rejected: 0, undelivered: 2 })
        expect(delivery.lastError).toMatch(/answered (for \d of 2 operations|200, but not as a Runledger server does)/)
      }),
    )

  it.scopedLive("an answer without a body is an answer", () =>
    Effect.gen(function* () {
      const url = yield* HandledServer.serve((_request, response) => response.writeHead(204).end())
      expect(yield* ask(url)).toMatchObject({ _tag: "Later", status: 204, unreachable: false })
    }),
  )
})
