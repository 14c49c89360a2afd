import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Page } from "../../services/RunStore.js"
import type { RunFilter } from "../domain/Run.js"
import { GroupBy } from "../domain/Stats.js"
import * as Status from "../domain/Status.js"
import { fromMillis, parseMillis } from "../domain/Timestamp.js"
import { type Invalid, Refused } from "./ApiErrors.js"
import {
  type CallsQuery,
  DEFAULT_LIMIT,
  type EventsQuery,
  type FilterQuery,
  type ListQuery,
  MAX_LIMIT,
  type StatsQuery,
} from "./ApiQueries.js"
import { one } from "./Decoding.js"

const EXACT = ["run_id", "parent_run_id", "trace_id", "agent_name", "job_type", "product", "model"] as const
const TIMES = ["created_after", "created_before", "start_time_from", "start_time_to"] as const

type Filters = typeof FilterQuery.Type

/** `+` of a zone such as `+02:00` is a space once a query is decoded. */
const withPlus = (text: string): string => text.replace(/ (\d{2}:?\d{2})$/, "+$1")

const instant = (name: string, text: string): Either.Either<string, Refused> => {
  const millis = parseMillis(withPlus(text.trim()))
  return millis === undefined
    ? Either.left(
        new Refused({
          status: 400,
          detail: `${name} must be an ISO-8601 timestamp with a zone, such as 2026-01-31T12:00:00Z`,
        }),
      )
    : Either.right(fromMillis(millis))
}

const status = (word: string): Either.Either<Status.Status, Refused> =>
  Either.fromOption(
    Status.parse(word),
    () =>
      new Refused({
        status: 400,
        detail: `status must be one of ${Status.Status.literals.join(", ")}, or an alias of one`,
      }),
  )

/** The filter that a query asks for. */
export const filter = (query: Filters): Either.Either<RunFilter, Refused> =>
  Either.gen(function* () {
    const exact = Object.fromEntries(EXACT.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]])))
    const times: Array<readonly [string, string]> = []
    for (const name of TIMES) {
      const text = query[name]
      if (text !== undefined) times.push([name, yield* instant(name, text)])
    }
    return {
      ...exact,
      ...Object.fromEntries(times),
      ...(query.status === undefined ? {} : { status: yield* status(query.status) }),
    }
  })

const integer = (
  name: string,
  text: string | undefined,
  bounds: { readonly minimum: number; readonly maximum: number },
): Either.Either<number | undefined, Invalid> => {
  if (text === undefined) return Either.right(undefined)
  const value = /^[+-]?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN
  if (Number.isNaN(value)) return Either.left(one(["query", name], "expected an integer", "int_parsing"))
  if (value < bounds.minimum) return Either.left(one(["query", name], `must be at least ${bounds.minimum}`))
  if (value > bounds.maximum) return Either.left(one(["query", name], `must be at most ${bounds.maximum}`))
  return Either.right(value)
}

const CursorText = Schema.parseJson(Schema.Tuple(Schema.String, Schema.Int))
const decodeCursor = Schema.decodeUnknownOption(CursorText)

const cursorOf = (text: string | undefined): Either.Either<Page["after"], Invalid> =>
  text === undefined
    ? Either.right(undefined)
    : Either.fromOption(
        Option.map(
          Option.flatMap(Either.getRight(Encoding.decodeBase64UrlString(text)), decodeCursor),
          ([createdAt, id]) => ({ createdAt, id }),
        ),
        () => one(["query", "cursor"], "is not one that this server gave; take it from the Link header"),
      )

/** Where a page begins, as text for the `cursor` parameter. */
export const cursorText = ({ createdAt, id }: Cursor): string =>
  Encoding.encodeBase64Url(JSON.stringify([createdAt, id]))

export type Cursor = NonNullable<Page["after"]>

/** What `GET /api/v1/runs` is asked for: one page, or every match from `offset` on. */
export type Listing =
  | { readonly kind: "page"; readonly filter: RunFilter; readonly page: Page & { readonly limit: number } }
  | { readonly kind: "all"; readonly filter: RunFilter; readonly offset: number }

const isLookUp = (query: ListQuery): boolean =>
  query.run_id !== undefined || query.parent_run_id !== undefined || query.trace_id !== undefined

/** Understands a list query: 400 for a bad status or timestamp, 422 for a bad limit, offset or cursor. */
export const listing = (query: ListQuery): Effect.Effect<Listing, Refused | Invalid> =>
  Effect.gen(function* () {
    const wanted = yield* filter(query)
    const limit = yield* integer("limit", query.limit, { minimum: 1, maximum: MAX_LIMIT })
    const offset = yield* integer("offset", query.offset, { minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
    const after = yield* cursorOf(query.cursor)
    if (isLookUp(query) && limit === undefined && after === undefined) {
      return { kind: "all", filter: wanted, offset: offset ?? 0 }
    }
    return { kind: "page", filter: wanted, page: { limit: limit ?? DEFAULT_LIMIT, offset, after } }
  })

/** Understands a query of calls: 400 for a bad status or timestamp. */
export const calls = ({
  under,
  ...query
}: CallsQuery): Either.Either<{ readonly filter: RunFilter; readonly under: string | undefined }, Refused> =>
  Either.map(filter(query), (wanted) => ({ filter: wanted, under }))

/** Understands an events query: 422 for a bad limit. */
export const events = ({
  after,
  limit,
}: EventsQuery): Either.Either<{ readonly after: string | undefined; readonly limit: number }, Invalid> =>
  Either.map(integer("limit", limit, { minimum: 1, maximum: MAX_LIMIT }), (most) => ({
    after,
    limit: most ?? DEFAULT_LIMIT,
  }))

/** Understands a stats query. */
export const stats = (
  query: StatsQuery,
): Effect.Effect<{ readonly groupBy: GroupBy; readonly filter: RunFilter }, Refused | Invalid> =>
  Effect.gen(function* () {
    const groupBy = yield* Either.fromOption(Schema.decodeUnknownOption(GroupBy)(query.group_by ?? "model"), () =>
      one(["query", "group_by"], `expected one of ${GroupBy.literals.join(", ")}`),
    )
    return { groupBy, filter: yield* filter(query) }
  })
