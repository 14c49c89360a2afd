import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Telemetry } from "../../services/Telemetry.js"
import type { Event } from "../domain/Event.js"
import { inert } from "./Ansi.js"
import * as Figures from "./Figures.js"

/** How far a launch has come, as its events tell. */
export interface Progress {
  readonly worker: string | null
  readonly open: number
  readonly done: number
  readonly failed: number
  readonly spending: Figures.Spending
}

export const start: Progress = {
  worker: null,
  open: 0,
  done: 0,
  failed: 0,
  spending: { total_tokens: 0, cost_nanousd: 0, simulated_cost_nanousd: 0, unpriced_calls: 0, replayed_calls: 0 },
}

type Finished = Extract<Event, { readonly type: "LLM_CALL_FINISHED" }>

const withFinished = (progress: Progress, { payload }: Finished): Progress => {
  const { spending } = progress
  const nano = payload.cost_nanousd ?? 0
  return {
    ...progress,
    open: Math.max(0, progress.open - 1),
    done: progress.done + 1,
    spending: {
      total_tokens: spending.total_tokens + payload.token_usage.total_tokens,
      cost_nanousd: spending.cost_nanousd + (payload.cost_status === "priced" ? nano : 0),
      simulated_cost_nanousd: spending.simulated_cost_nanousd + (payload.cost_status === "simulated" ? nano : 0),
      unpriced_calls: spending.unpriced_calls + (payload.cost_status === "unpriced" ? 1 : 0),
      replayed_calls: spending.replayed_calls + (payload.cost_status === "replayed" ? 1 : 0),
    },
  }
}

/** The progress after one more event. */
export const step = (progress: Progress, event: Event): Progress => {
  switch (event.type) {
    case "WORK_ITEM_STARTED":
      return { ...progress, worker: event.payload.worker }
    case "LLM_CALL_STARTED":
      return { ...progress, open: progress.open + 1 }
    case "LLM_CALL_FINISHED":
      return withFinished(progress, event)
    case "LLM_CALL_FAILED":
      return { ...progress, open: Math.max(0, progress.open - 1), failed: progress.failed + 1 }
    default:
      return progress
  }
}

/** What an event is worth saying on a line of its own; null for most. */
export const line = (event: Event): string | null => {
  switch (event.type) {
    case "WORK_ITEM_STARTED":
      return `${event.payload.worker} …`
    case "WORK_ITEM_FINISHED": {
      const { worker, success, error, duration_ms = 0, output_summary } = event.payload
      const said = success ? (output_summary ?? "done") : `failed: ${error ?? "no reason given"}`
      return `${worker} ${inert(said)} (${Figures.duration(duration_ms)})`
    }
    case "LLM_CALL_FAILED": {
      const { call_id, error_class, http_status, attempts = [] } = event.payload
      const http = typeof http_status === "number" ? [`HTTP ${http_status}`] : []
      const tries = attempts.length > 1 ? [Figures.plural(attempts.length, "attempt")] : []
      return `${inert(call_id)} failed (${[error_class, ...http, ...tries].join(", ")})`
    }
    case "ISSUE_OPENED":
      return `note: ${inert(event.payload.message)}`
    default:
      return null
  }
}

/** The whole progress on one line that a terminal rewrites. */
export const status = (progress: Progress): string => {
  const calls = [
    Figures.plural(progress.done, "call"),
    ...(progress.open > 0 ? [`${progress.open} running`] : []),
    ...(progress.failed > 0 ? [`${progress.failed} failed`] : []),
  ].join(", ")
  return `${progress.worker ?? "starting"}: ${calls}, ${Figures.count(progress.spending.total_tokens)} tokens, ${Figures.spending(progress.spending)}`
}

/** Where progress is shown. `clear` takes the rewritten line away before something else is printed. */
export interface ProgressSinkService {
  readonly show: (event: Event) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
}

/** Shows a launch's events to the person who waits for it. Never fails. */
export class ProgressSink extends Context.Tag("runledger/cli/ProgressSink")<ProgressSink, ProgressSinkService>() {}

/** The same telemetry, with every event shown as it is handed on. */
export const watched: Layer.Layer<Telemetry, never, Telemetry | ProgressSink> = Layer.effect(
  Telemetry,
  Effect.gen(function* () {
    const telemetry = yield* Telemetry
    const sink = yield* ProgressSink
    return Telemetry.of({
      record: (event) => Effect.zipRight(sink.show(event), telemetry.record(event)),
      flush: telemetry.flush,
      delivery: telemetry.delivery,
    })
  }),
)
