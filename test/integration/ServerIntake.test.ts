import { createServer } from "node:http"
import { connect, type Socket } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { expect, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Intake from "../../src/server/Intake.js"
import * as Problems from "../../src/server/Problems.js"
import * as RequestBody from "../../src/server/RequestBody.js"
import { type Answer, ask, run, send, start } from "../support/LiveServer.js"

const MIB = 1024 * 1024
const SIZE = 4 * MIB

/** A client that announces a body and sends only the beginning of it, and then nothing more. */
const unfinished = (port: number, announced: number, beginning: string | Uint8Array) =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(
          `POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${announced}\r\n\r\n`,
        )
        socket.write(beginning, () => resume(Effect.succeed(socket)))
      })
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy()),
  )

/** A client whose body lacks its last byte. */
const almost = (port: number) => unfinished(port, SIZE, Buffer.alloc(SIZE - 1, " "))

class NotYet extends Data.TaggedError("NotYet")<{ readonly status: number }> {}

/** Asks again until the answer is as wished, for some seconds at most. */
const until = (status: number, asking: Effect.Effect<Answer, Error>) =>
  asking.pipe(
    Effect.orDie,
    Effect.filterOrFail(
      (answer) => answer.status === status,
      (answer) => new NotYet({ status: answer.status }),
    ),
    Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.intersect(Schedule.recurs(200)))),
  )

it.live(
  "asks writers to come back when their bodies fill the memory, answers readers meanwhile, and lets them in again",
  () =>
    Effect.gen(function* () {
      const { url, port } = yield* start()
      const writing = send("POST", `${url}/api/v1/runs`, run())
      const large = send("POST", `${url}/api/v1/runs`, "x".repeat(SIZE + MIB))
      expect((yield* large).status).toBe(422)
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.forEach(Array.from({ length: Intake.LIMITS.bytes / SIZE - 1 }), () => almost(port), {
            concurrency: "unbounded",
          })
          const midway = yield* until(503, large)
          expect(midway.headers["retry-after"]).toBe("1")
          expect(midway.json.detail).toContain("send it again")
          expect((yield* writing).status).toBe(201)
          yield* almost(port)
          const refused = yield* until(503, writing)
          expect(refused.headers["retry-after"]).toBe("1")
          expect(refused.json.detail).toContain("send it again")
          expect((yield* ask(`${url}/api/v1/runs`)).status).toBe(200)
        }),
      )
      yield* until(200, writing)
      yield* until(422, large)
      expect((yield* ask(`${url}/api/v1/runs`)).json).toHaveLength(1)
    }).pipe(Effect.scoped),
  30_000,
)

it.live("a few idle connections that announce large bodies keep no writer out", () =>
  Effect.gen(function* () {
    const { url, port } = yield* start()
    const idle = yield* Effect.forEach(Array.from({ length: 8 }), () =>
      unfinished(port, RequestBody.MAX_BODY_BYTES, "{"),
    )
    for (let n = 0; n < 5; n += 1) {
      expect((yield* send("POST", `${url}/api/v1/runs`, run({ event_id: `e-${n}` }))).status).toBe(201)
    }
    expect(idle.map(({ readableEnded }) => readableEnded)).not.toContain(true)
  }).pipe(Effect.scoped),
)

it.live("a body that stands still is given up, its connection closed and its place given back", () =>
  Effect.gen(function* () {
    const intake = Intake.middleware(Intake.make({ bytes: 2 * MIB, requests: 1, stallMillis: 100 }))
    const server = yield* NodeHttpServer.make(() => createServer(), { host: "127.0.0.1", port: 0 })
    const reading = RequestBody.bytes(MIB).pipe(
      Effect.map((body) => Problems.problem(200, body.byteLength)),
      Effect.catchAll(({ status, detail }) => Effect.succeed(Problems.problem(status, detail))),
    )
    yield* server.serve(intake(reading))
    const port = server.address._tag === "TcpAddress" ? server.address.port : 0
    const socket = yield* unfinished(port, MIB, "{")
    const said = yield* Effect.async<string>((resume) => {
      let text = ""
      socket.on("data", (part) => {
        text += part.toString()
      })
      socket.on("close", () => resume(Effect.succeed(text)))
    }).pipe(Effect.timeout("20 seconds"))
    expect(said).toMatch(/^HTTP\/1\.1 408 [\s\S]*connection: close[\s\S]*Send it again/i)
    expect((yield* send("POST", `http://127.0.0.1:${port}/`, {})).json.detail).toBe(2)
  }).pipe(Effect.scoped),
)
