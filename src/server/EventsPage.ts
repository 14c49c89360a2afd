import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { LogHead, ReceivedEvent, RunStoreService } from "../../services/RunStore.js"
import { Refused } from "./ApiErrors.js"
import type { EventsQuery } from "./ApiQueries.js"
import { one } from "./Decoding.js"
import * as RunQuery from "./RunQuery.js"

const linkTo = (runId: string, last: ReceivedEvent, limit: number): string => {
  const search = new URLSearchParams({ limit: String(limit), after: last.eventId })
  return `</api/v1/runs/${encodeURIComponent(runId)}/events?${search.toString()}>; rel="next"`
}

const headersOf = ({ hash, events }: LogHead): Readonly<Record<string, string>> => ({
  "x-total-count": String(events),
  ...(hash === null ? {} : { "x-log-head": hash }),
})

/** A page of a run's events, to the letter: what the store received is joined, not parsed. */
export const respond = (store: RunStoreService, runId: string, query: EventsQuery) =>
  Effect.gen(function* () {
    const { after, limit } = yield* RunQuery.events(query)
    const head = yield* store.logHead(runId)
    if (Option.isNone(head)) return yield* new Refused({ status: 404, detail: `There is no run ${runId}` })
    const page = yield* store.events(runId, { after, limit })
    if (Option.isNone(page)) {
      return yield* one(
        ["query", "after"],
        `is not an event of ${runId} that this server has; ask without it for the first`,
      )
    }
    const { events, more } = page.value
    const last = events.at(-1)
    return HttpServerResponse.text(`[${events.map(({ text }) => text).join(",")}]`, {
      contentType: "application/json",
      headers: {
        ...headersOf(head.value),
        ...(more && last !== undefined ? { link: linkTo(runId, last, limit) } : {}),
      },
    })
  })
