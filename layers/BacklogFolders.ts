import * as nodePath from "node:path"
import * as HttpClient from "@effect/platform/HttpClient"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import { Backlog, type BacklogService, type Drained, type DrainOptions } from "../services/Backlog.js"
import * as BacklogRun from "./BacklogRun.js"
import * as BacklogSurvey from "./BacklogSurvey.js"
import type * as EventLogNdjson from "./EventLogNdjson.js"
import * as FileProblem from "./FileProblem.js"
import * as IdGeneratorLive from "./IdGeneratorLive.js"
import * as TelemetryHttp from "./TelemetryHttp.js"

export interface Options extends Pick<TelemetryHttp.Options, "endpoint" | "token" | "requestTimeout"> {
  /** Where run folders are. */
  readonly runsDir: string
  /** The name of the only run folder to look at; all of them when absent. */
  readonly only?: string | undefined
  /** The folder of a run that is never drained: the current one, which has a shipper of its own. */
  readonly exclude?: string | undefined
  readonly durability: EventLogNdjson.Durability
}

/** A server that answers, but takes nothing of so many runs one after the other, is given up on. */
const TROUBLED_RUNS = 3

/** What keeps a run from being drained; null when something is to be done for it, undefined when nothing is. */
const obstacle = (found: BacklogSurvey.Found, { includeOffline, force }: DrainOptions): Drained | null | undefined => {
  if (found.undelivered === null) return BacklogRun.skipped(found, "unusable", found.problem)
  if (found.undelivered === 0 && found.openSpans === 0) return undefined
  if (found.owner !== null) {
    return BacklogRun.skipped(found, "owned", `process ${found.owner} owns it and delivers it`)
  }
  if (found.doubt !== null && force !== true) return BacklogRun.skipped(found, "unknown", found.doubt)
  if (found.offline && !includeOffline) return BacklogRun.skipped(found, "offline", null)
  return null
}

/** Words of the operating system for a server that no connection can be made to: another run would fare no better. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
])

const isUnreachable = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  return UNREACHABLE.has(FileProblem.code(error) ?? "") || isUnreachable(error.cause)
}

/** How the server does over one drain. */
interface Trouble {
  readonly runs: number
  readonly giveUp: string | null
}

const make = (options: Options): Effect.Effect<BacklogService, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const { runsDir, only, durability, endpoint, token, requestTimeout } = options
    const server = { endpoint, token, ...(requestTimeout === undefined ? {} : { requestTimeout }) }
    const excluded = options.exclude === undefined ? undefined : nodePath.resolve(options.exclude)

    const deliver = (found: BacklogSurvey.Found, asked: DrainOptions, trouble: Ref.Ref<Trouble>) =>
      Effect.gen(function* () {
        yield* asked.onDelivering ?? Effect.void
        const unreachable = yield* Ref.make(false)
        const watched = http.pipe(
          HttpClient.tap(() => Ref.set(unreachable, false)),
          HttpClient.tapError((error) => Ref.set(unreachable, isUnreachable(error))),
        )
        const { drained, isServerAtFault } = yield* BacklogRun.deliver(found, {
          server,
          durability,
          force: asked.force === true,
          fromStart: asked.fromStart === true,
        }).pipe(Effect.provideService(HttpClient.HttpClient, watched))
        if (drained.delivered > 0) yield* Ref.set(trouble, { runs: 0, giveUp: null })
        if (!isServerAtFault) return drained
        const runs = (yield* Ref.get(trouble)).runs + 1
        const isHopeless = runs >= TROUBLED_RUNS || (yield* Ref.get(unreachable))
        yield* Ref.set(trouble, { runs, giveUp: isHopeless ? drained.lastError : null })
        return drained
      })

    const drainOne = (found: BacklogSurvey.Found, asked: DrainOptions, trouble: Ref.Ref<Trouble>) =>
      Effect.gen(function* () {
        const hindered = obstacle(found, asked)
        if (hindered !== null) return hindered
        const { giveUp } = yield* Ref.get(trouble)
        return giveUp === null ? yield* deliver(found, asked, trouble) : BacklogRun.notTried(found, giveUp)
      })

    const drain: BacklogService["drain"] = (asked) =>
      Effect.gen(function* () {
        const trouble = yield* Ref.make<Trouble>({ runs: 0, giveUp: null })
        const { force, fromStart, inPassing } = asked
        const runs = yield* BacklogSurvey.survey(runsDir, { only, gaps: false, force, fromStart, inPassing })
        const drained = yield* Effect.forEach(
          runs.filter(({ directory }) => directory !== excluded),
          (found) =>
            Effect.tap(drainOne(found, asked, trouble), (result) =>
              result === undefined || asked.onDrained === undefined ? Effect.void : asked.onDrained(result),
            ),
        )
        return drained.filter((result) => result !== undefined)
      }).pipe(Effect.provide(IdGeneratorLive.layer))

    const survey: BacklogService["survey"] = Effect.map(BacklogSurvey.survey(runsDir, { only, gaps: true }), (runs) =>
      runs.map(({ startedAt: _startedAt, doubt: _doubt, ...run }) => run),
    )

    return { survey, drain }
  })

/**
 * The backlogs of the run folders under `runsDir`. A survey reads of each log what stands behind its cursor, and the whole of
 * one that a dead process left, in pieces of a quarter of a mebibyte. A drain takes over, one at a time and the oldest first,
 * runs without a live owner in which something is undelivered or left open; no other file is written. Where no
 * connection can be made, or the server takes nothing of three runs in a row, the rest is not tried; a server that takes nothing of
 * a run for ten seconds, and for two request time-outs, has failed it. A run whose owner may be alive where nobody here can see
 * it is left alone unless `force` is set. While it works it yields to the rest of the program, and one request is under way at most.
 */
export const layer = (options: Options): Layer.Layer<Backlog, never, HttpClient.HttpClient> =>
  Layer.effect(Backlog, make(options))

/** {@link layer} with the server of `TelemetryHttp.layerConfig`. Fails to build when the settings cannot be read. */
export const layerConfig = (
  options: Omit<Options, "endpoint" | "token" | "requestTimeout">,
): Layer.Layer<Backlog, ConfigError, HttpClient.HttpClient> =>
  Layer.unwrapEffect(Effect.map(TelemetryHttp.settings, (server) => layer({ ...options, ...server })))
