import type { ServerResponse } from "node:http"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import type { Fault } from "./Fault.js"

/** A stream as it goes over the wire: event by event, and how it ends. */
export interface Flow {
  readonly events: ReadonlyArray<string>
  /** Between two events. */
  readonly everyMillis: number
  readonly end: "whole" | "reset" | "silence"
}

/** The flow of a stream under a fault; none where the stream goes out in one piece. `errorEvent`: what an error in it looks like. */
export const under = (fault: Fault, events: ReadonlyArray<string>, errorEvent: string): Flow | undefined => {
  switch (fault.kind) {
    case "drip":
      return { events, everyMillis: fault.millis, end: "whole" }
    case "break":
      return { events: events.slice(0, fault.events), everyMillis: 0, end: "reset" }
    case "stall":
      return { events: events.slice(0, fault.events), everyMillis: 0, end: "silence" }
    case "error_event":
      return { events: [...events.slice(0, fault.events), errorEvent], everyMillis: 0, end: "whole" }
    default:
      return undefined
  }
}

/** The bytes are with the operating system when this is done, so that a cut comes behind them. */
const write = (response: ServerResponse, text: string): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    response.write(text, () => resume(Effect.void))
  })

/** How long a reset waits, so that what was sent has arrived: a reset throws away what the reader has not taken yet. */
const ARRIVAL_MILLIS = 50

/** Sends a flow; one that falls silent, or breaks off, ends with its connection. */
export const send = (
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  { end, events, everyMillis }: Flow,
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.gen(function* () {
    yield* Effect.sync(() => {
      response.writeHead(status, headers)
      response.flushHeaders()
    })
    yield* Effect.forEach(
      events,
      (event, index) =>
        Effect.zipRight(
          index === 0 || everyMillis === 0 ? Effect.void : Effect.sleep(everyMillis),
          write(response, event),
        ),
      { discard: true },
    )
    if (end === "whole") {
      yield* Effect.sync(() => response.end())
      // Never sent: the response has ended.
      return HttpServerResponse.empty()
    }
    if (end === "reset") {
      yield* Effect.sleep(ARRIVAL_MILLIS)
      yield* Effect.sync(() => response.socket?.resetAndDestroy())
    }
    return yield* Effect.never
  })
