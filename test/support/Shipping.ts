import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as CurrentRunDetached from "../../layers/CurrentRunDetached.js"
import * as EventLogMemory from "../../layers/EventLogMemory.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import { EventLog } from "../../services/EventLog.js"
import { Telemetry } from "../../services/Telemetry.js"
import type { Event } from "../../src/domain/Event.js"

export const run = CurrentRunDetached.layer({ runId: "run-001" })

/** Telemetry of `run-001` towards a server, without a log. */
export const http = (endpoint: string, options: Partial<TelemetryHttp.Options> = {}) =>
  TelemetryHttp.layer({ endpoint, token: Option.none(), ...options }).pipe(Layer.provide([FetchHttpClient.layer, run]))

/** With a log: every event is appended before it is handed on, as the recorder does. */
export const logged = (endpoint: string, options: Partial<TelemetryHttp.Options> = {}) =>
  http(endpoint, options).pipe(Layer.provideMerge(EventLogMemory.layer))

/** Hands an event on as the recorder does. */
export const record = (event: Event) =>
  Effect.gen(function* () {
    const log = yield* Effect.serviceOption(EventLog)
    if (Option.isSome(log)) yield* log.value.append(event)
    const telemetry = yield* Telemetry
    yield* telemetry.record(event)
  })

export const flush = (deadline: Duration.DurationInput) =>
  Effect.flatMap(Telemetry, (telemetry) => telemetry.flush(deadline))
