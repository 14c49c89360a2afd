import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import { EventLog, EventLogError, type EventLogService } from "../../services/EventLog.js"
import type { DeadLetter } from "../../src/domain/DeadLetter.js"
import * as Sample from "./EventSamples.js"
import { http, record } from "./Shipping.js"

/** Lets real input and output happen while the test's clock stands still. */
export const realMoment = Effect.async<void>((resume) => {
  const timer = setTimeout(() => resume(Effect.void), 5)
  return Effect.sync(() => clearTimeout(timer))
})

/** Waits for something real, without moving the test's clock. */
export const until = (condition: () => boolean) =>
  Effect.iterate(0, { while: (n) => n < 2000 && !condition(), body: (n) => Effect.as(realMoment, n + 1) })

/** Waits for something while the test's clock runs. */
export const inTime = (condition: () => boolean) =>
  Effect.iterate(0, {
    while: (n) => n < 2000 && !condition(),
    body: (n) => Effect.as(Effect.zipRight(realMoment, TestClock.adjust("50 millis")), n + 1),
  })

/** What a fiber gives that needs no time at all to pass. */
export const atOnce = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) =>
  Effect.gen(function* () {
    for (let n = 0; n < 2000 && (yield* Fiber.poll(fiber))._tag === "None"; n++) yield* realMoment
    expect((yield* Fiber.poll(fiber))._tag).toBe("Some")
    return yield* Fiber.join(fiber)
  })

/** A log in memory that remembers what was set aside, and can be told to fail. */
export const observedLog = (change: (log: EventLogService) => Partial<EventLogService> = () => ({})) =>
  Effect.gen(function* () {
    const inner = yield* Effect.provide(EventLog, EventLogMemory.layer)
    const letters: Array<DeadLetter> = []
    const log = EventLog.of({
      ...inner,
      setAside: (refused) =>
        Effect.zipRight(
          inner.setAside(refused),
          Effect.sync(() => {
            letters.push(...refused)
          }),
        ),
      ...change(inner),
    })
    return { log, letters, layer: Layer.succeed(EventLog, log) }
  })

export const trouble = (operation: EventLogError["operation"]) =>
  new EventLogError({ operation, path: "x", message: `the disk is full (${operation})` })

export const over = (
  server: { readonly url: string },
  log: Layer.Layer<EventLog>,
  options: Parameters<typeof http>[1] = {},
) => http(server.url, options).pipe(Layer.provideMerge(log))

export const issues = (count: number) =>
  Effect.forEach(Array.from({ length: count }), () => record(Sample.issue(10)), { discard: true })
