import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { ParseError } from "effect/ParseResult"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type LogHead, RunReader, RunReaderError, type RunReaderService } from "../services/RunReader.js"
import { CallRecord } from "../src/domain/CallRecord.js"
import { shown } from "../src/domain/Endpoint.js"
import { RunRecord } from "../src/domain/Run.js"
import { RunTreeNode } from "../src/domain/RunTree.js"
import { Metadata } from "../src/domain/Stats.js"

export interface Options {
  /** The server's address, such as `http://localhost:8765`. */
  readonly endpoint: string
  readonly token: Option.Option<Redacted.Redacted<string>>
  /** Of one request; 30 seconds when absent. */
  readonly requestTimeout?: Duration.DurationInput | undefined
}

const PAGE_ROWS = 1000

const runs = Schema.decodeUnknown(Schema.Array(RunRecord))
const run = Schema.decodeUnknown(RunRecord)
const calls = Schema.decodeUnknown(Schema.Array(Schema.parseJson(CallRecord)))
const metadata = Schema.decodeUnknown(Metadata)
const received = Schema.decodeUnknown(
  Schema.Array(
    Schema.Struct({
      event_id: Schema.String,
      prev_hash: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
      event_hash: Schema.optionalWith(Schema.NullOr(Schema.String), { default: () => null }),
    }),
  ),
)
const treeNode = Schema.decodeUnknown(RunTreeNode)

/** What the headers of a page of events say of the whole log; none when a server of another version does not say it. */
const logHeadOf = ({ headers }: HttpClientResponse.HttpClientResponse): Option.Option<LogHead> => {
  const events = Number(headers["x-total-count"] ?? Number.NaN)
  return Number.isSafeInteger(events) ? Option.some({ hash: headers["x-log-head"] ?? null, events }) : Option.none()
}

const nextSearch = (response: HttpClientResponse.HttpClientResponse): Option.Option<string> => {
  const link = response.headers["link"] ?? ""
  const target = /<([^>]*)>\s*;\s*rel="?next"?/.exec(link)?.[1]
  const query = target === undefined ? -1 : target.indexOf("?")
  return target === undefined || query < 0 ? Option.none() : Option.some(target.slice(query + 1))
}

type Search = Readonly<Record<string, string | undefined>>

const searchOf = (given: Search): string =>
  new URLSearchParams(
    Object.entries(given).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  ).toString()

const make = (options: Options) =>
  Effect.gen(function* () {
    const base = options.endpoint.replace(/\/+$/, "")
    const place = shown(base)
    const timeout = options.requestTimeout ?? Duration.seconds(30)
    const client = (yield* HttpClient.HttpClient).pipe(
      HttpClient.mapRequest((request) =>
        Option.match(options.token, {
          onNone: () => request,
          onSome: (token) => HttpClientRequest.bearerToken(request, Redacted.value(token)),
        }),
      ),
    )

    const failed = (message: string) => (cause: unknown) => new RunReaderError({ source: place, message, cause })
    const unreachable = `No Runledger server answers at ${place}. Start one with "runledger serve", or read the run folders with --local.`

    const refused = (status: number, detail: string): string => {
      if (status === 401) return `${place} wants a token. Set TELEMETRY_API_TOKEN to the server's.`
      if (status === 429) return `${place} limits requests. Wait a minute and ask again.`
      return `${place} answered ${status}${detail === "" ? "" : ` (${detail})`}. Check that it is a Runledger server, or read the run folders with --local.`
    }

    /** The answer to a request, none when there is no such thing. */
    const get = (pathAndSearch: string) =>
      Effect.gen(function* () {
        const response = yield* client
          .get(`${base}${pathAndSearch}`)
          .pipe(Effect.timeout(timeout), Effect.mapError(failed(unreachable)))
        if (response.status === 404) return Option.none<typeof response>()
        if (response.status >= 300) {
          const text = yield* response.text.pipe(Effect.orElseSucceed(() => ""))
          return yield* failed(refused(response.status, text.slice(0, 200)))(undefined)
        }
        return Option.some(response)
      })

    const ask = (pathAndSearch: string) =>
      Effect.gen(function* () {
        const response = yield* get(pathAndSearch)
        if (Option.isNone(response))
          return Option.none<{ response: HttpClientResponse.HttpClientResponse; body: unknown }>()
        const body = yield* response.value.json.pipe(
          Effect.timeout(timeout),
          Effect.mapError(
            failed(`${place} did not answer in JSON. Check that TELEMETRY_API_URL names a Runledger server.`),
          ),
        )
        return Option.some({ response: response.value, body })
      }).pipe(Effect.scoped)

    const otherVersion = `${place} speaks another version of the API. Use the same Runledger on both sides.`

    const understood = <A>(decoded: Effect.Effect<A, ParseError>) => Effect.mapError(decoded, failed(otherVersion))

    const page = (search: string) =>
      Effect.gen(function* () {
        const answer = yield* ask(`/api/v1/runs?${search}`)
        if (Option.isNone(answer)) return yield* failed(refused(404, "no /api/v1/runs"))(undefined)
        const rows = yield* understood(runs(answer.value.body))
        return [Chunk.fromIterable(rows), nextSearch(answer.value.response)] as const
      })

    const eventsPage = (runId: string) => (search: string) =>
      Effect.gen(function* () {
        const answer = yield* ask(`/api/v1/runs/${encodeURIComponent(runId)}/events?${search}`)
        if (Option.isNone(answer)) return [Chunk.empty(), Option.none<string>()] as const
        const events = yield* understood(received(answer.value.body))
        return [Chunk.fromIterable(events), nextSearch(answer.value.response)] as const
      })

    const brokeOff = `${place} broke off its answer, or sent nothing for too long. Ask again; its log says more.`

    /** The lines of an answer as they come. */
    const lines = (pathAndSearch: string) =>
      Stream.unwrapScoped(
        Effect.flatMap(
          get(pathAndSearch),
          Option.match({
            onNone: () => failed(otherVersion)(undefined),
            onSome: (response) => Effect.succeed(Stream.mapError(response.stream, failed(brokeOff))),
          }),
        ),
      ).pipe(
        Stream.timeoutFail(() => failed(brokeOff)(undefined), timeout),
        Stream.decodeText(),
        Stream.splitLines,
        Stream.filter((line) => line !== ""),
      )

    const service: RunReaderService = {
      source: { kind: "server", location: place },
      stream: (filter, limit) =>
        Stream.paginateChunkEffect(
          searchOf({ ...filter, limit: String(Math.min(limit ?? PAGE_ROWS, PAGE_ROWS)) }),
          page,
        ).pipe(limit === undefined ? (all) => all : Stream.take(limit)),
      calls: ({ job_type: _job, ...filter }, under) =>
        Stream.mapChunksEffect(lines(`/api/v1/calls?${searchOf({ ...filter, under })}`), (some) =>
          Effect.map(understood(calls(Chunk.toReadonlyArray(some))), Chunk.unsafeFromArray),
        ),
      jobTypes: Effect.gen(function* () {
        const answer = yield* ask("/api/v1/metadata")
        if (Option.isNone(answer)) return yield* failed(refused(404, "no /api/v1/metadata"))(undefined)
        return (yield* understood(metadata(answer.value.body))).job_types
      }),
      get: (id) =>
        ask(`/api/v1/runs/${encodeURIComponent(id)}`).pipe(
          Effect.flatMap(
            Option.match({
              onNone: () => Effect.succeedNone,
              onSome: ({ body }) => Effect.asSome(understood(run(body))),
            }),
          ),
        ),
      tree: (runId) =>
        ask(`/api/v1/runs/${encodeURIComponent(runId)}/tree`).pipe(
          Effect.flatMap(
            Option.match({
              onNone: () => Effect.succeedNone,
              onSome: ({ body }) => Effect.asSome(understood(treeNode(body))),
            }),
          ),
        ),
      logHead: (runId) =>
        ask(`/api/v1/runs/${encodeURIComponent(runId)}/events?limit=1`).pipe(
          Effect.flatMap(
            Option.match({
              onNone: () => Effect.succeedNone,
              onSome: ({ response }) =>
                Option.match(logHeadOf(response), {
                  onNone: () => failed(otherVersion)(undefined),
                  onSome: Effect.succeedSome,
                }),
            }),
          ),
        ),
      events: (runId) => Stream.paginateChunkEffect(`limit=${PAGE_ROWS}`, eventsPage(runId)),
    }
    return service
  })

/**
 * Answers from a Runledger server over its API, page by page. A server that does not answer within the timeout, refuses the
 * token or speaks another API is a `RunReaderError` that says so; nothing is retried.
 */
export const layer = (options: Options): Layer.Layer<RunReader, never, HttpClient.HttpClient> =>
  Layer.effect(RunReader, make(options))
