import { connect, type Socket } from "node:net"
import { expect, it } from "@effect/vitest"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { LIMITS } from "../../src/server/Intake.js"
import { type Answer, ask, run, send, start } from "../support/LiveServer.js"

const SIZE = 4 * 1024 * 1024

/** A client that announces a large body and sends only the beginning of it. */
const unfinished = (port: number) =>
  Effect.acquireRelease(
    Effect.async<Socket>((resume) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(
          `POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${SIZE}\r\n\r\n{`,
          () => resume(Effect.succeed(socket)),
        )
      })
      socket.on("error", () => {})
    }),
    (socket) => Effect.sync(() => socket.destroy()),
  )

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
  "asks writers to come back before their bodies fill the memory, answers readers meanwhile, and lets them in again",
  () =>
    Effect.gen(function* () {
      const { url, port } = yield* start()
      const writing = send("POST", `${url}/api/v1/runs`, run())
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Effect.forEach(Array.from({ length: LIMITS.bytes / SIZE }), () => unfinished(port), {
            concurrency: "unbounded",
          })
          const refused = yield* until(503, writing)
          expect(refused.headers["retry-after"]).toBe("1")
          expect(refused.json.detail).toContain("send it again")
          expect((yield* ask(`${url}/api/v1/runs`)).status).toBe(200)
        }),
      )
      yield* until(200, writing)
      expect((yield* ask(`${url}/api/v1/runs`)).json).toHaveLength(1)
    }).pipe(Effect.scoped),
)
