import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Attempt } from "../src/domain/Llm.js"
import { toWire } from "../src/domain/Usage.js"
import type { AttemptFailure } from "./AttemptFailure.js"

/** What is known of an attempt's answer; nulls when there was none. */
export interface Seen {
  readonly status: number | null
  readonly requestId: string | null
}

/** An attempt under way. `idleMs`: how long of its time somebody else was waited for. */
export interface Running {
  /** The attempt up to now. */
  readonly soFar: (seen: Seen, idleMs?: number) => Effect.Effect<Attempt>
  /** Notes how it ended. */
  readonly end: (seen: Seen | AttemptFailure, idleMs?: number) => Effect.Effect<void>
}

/** The HTTP attempts of one call, each with the wait before it. */
export interface AttemptLog {
  readonly begin: Effect.Effect<Running>
  readonly all: Effect.Effect<ReadonlyArray<Attempt>>
}

const isFailure = (end: Seen | AttemptFailure): end is AttemptFailure => "_tag" in end

const monotonicMillis = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

const micros = (millis: number): number => Math.max(0, Math.round(millis * 1e3) / 1e3)

const billed = ({ usage }: AttemptFailure): Pick<Attempt, "token_usage" | "usage_source"> =>
  usage.source === "none" ? {} : { token_usage: toWire(usage), usage_source: usage.source }

export const make = (): AttemptLog => {
  let attempts: ReadonlyArray<Attempt> = []
  let endedAt: number | undefined

  const begin = Effect.gen(function* () {
    const startedAt = new Date(yield* Clock.currentTimeMillis).toISOString()
    const started = yield* monotonicMillis
    const waited = endedAt === undefined ? undefined : micros(started - endedAt)
    const told = (now: number, end: Seen | AttemptFailure, idleMs: number): Attempt => ({
      n: attempts.length + 1,
      started_at: startedAt,
      duration_ms: micros(now - started - idleMs),
      http_status: end.status,
      error_class: isFailure(end) ? end.reason : null,
      retry_after_ms: isFailure(end) ? end.retryAfterMs : null,
      ...(waited === undefined ? {} : { backoff_ms: waited }),
      ...(end.requestId === null ? {} : { request_id: end.requestId }),
      ...(isFailure(end) ? billed(end) : {}),
    })
    return {
      soFar: (seen: Seen, idleMs = 0) => Effect.map(monotonicMillis, (now) => told(now, seen, idleMs)),
      end: (end: Seen | AttemptFailure, idleMs = 0) =>
        Effect.map(monotonicMillis, (now) => {
          attempts = [...attempts, told(now, end, idleMs)]
          endedAt = now
        }),
    }
  })

  return { begin, all: Effect.sync(() => attempts) }
}
