import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as ServerSettings from "../../src/server/ServerSettings.js"
import { ask, run, send, serveOver } from "../support/LiveServer.js"

describe("Server: stopping", () => {
  it.live("finishes the request in flight before it goes, and is gone then", () =>
    Effect.gen(function* () {
      const entered = yield* Deferred.make<void>()
      const leave = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const { url } = yield* serveOver((store) => ({
        insert: (runs) =>
          Deferred.succeed(entered, undefined).pipe(
            Effect.zipRight(Deferred.await(leave)),
            Effect.zipRight(store.insert(runs)),
          ),
      })).pipe(Scope.extend(scope))
      const writing = yield* Effect.fork(send("POST", `${url}/api/v1/runs`, run()))
      yield* Deferred.await(entered)
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.exit(ask(`${url}/health`)).pipe(Effect.repeat({ until: Exit.isFailure, times: 1000 }))
      yield* Deferred.succeed(leave, undefined)
      expect((yield* Fiber.join(writing)).status).toBe(201)
      yield* Fiber.join(closing)
      expect(Exit.isFailure(yield* Effect.exit(ask(`${url}/health`)))).toBe(true)
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("ServerSettings", () => {
  const read = (environment: Readonly<Record<string, string>>) =>
    Effect.withConfigProvider(ServerSettings.config, ConfigProvider.fromMap(new Map(Object.entries(environment))))

  it.effect("reads the environment, and asks for what is missing by its name", () =>
    Effect.gen(function* () {
      expect(yield* read({})).toEqual(ServerSettings.defaults)
      const full = yield* read({
        TELEMETRY_API_HOST: "0.0.0.0",
        TELEMETRY_API_PORT: "1234",
        TELEMETRY_API_AUTH_ENABLED: "true",
        TELEMETRY_API_AUTH_TOKEN: "t",
        TELEMETRY_ALLOWED_HOSTS: "a.example, b.example",
        TELEMETRY_RATE_LIMIT_ENABLED: "true",
        TELEMETRY_RATE_LIMIT_RPM: "5",
        TELEMETRY_CORS_ORIGINS: "https://dash.example, http://localhost:3000",
        TELEMETRY_MAX_STREAMS: "3",
        TELEMETRY_ACCESS_LOG: "true",
      })
      expect(full).toMatchObject({
        host: "0.0.0.0",
        port: 1234,
        allowedHosts: ["a.example", "b.example"],
        rateLimit: Option.some({ perMinute: 5 }),
        corsOrigins: ["https://dash.example", "http://localhost:3000"],
        maxStreams: 3,
        accessLog: Option.some(true),
      })
      for (const origin of [
        "*",
        "null",
        "dash.example",
        "https://dash.example/",
        "https://dash.example/x",
        "ftp://a",
      ]) {
        const refused = yield* Effect.flip(read({ TELEMETRY_CORS_ORIGINS: origin }))
        expect(String(refused), origin).toContain("TELEMETRY_CORS_ORIGINS")
      }
      expect(Option.map(full.token, Redacted.value)).toEqual(Option.some("t"))
      expect((yield* read({ TELEMETRY_API_AUTH_TOKEN: "t" })).token).toEqual(Option.none())
      expect(String(yield* Effect.flip(read({ TELEMETRY_API_AUTH_ENABLED: "true" })))).toContain(
        "TELEMETRY_API_AUTH_TOKEN",
      )
      expect(String(yield* Effect.flip(read({ TELEMETRY_API_PORT: "70000" })))).toContain("TELEMETRY_API_PORT")
    }),
  )
})
