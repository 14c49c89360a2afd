import * as nodePath from "node:path"
import * as HttpClient from "@effect/platform/HttpClient"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { Backlog, type BacklogService, type Drained, type DrainOptions } from "../services/Backlog.js"
import type { IdGenerator } from "../services/IdGenerator.js"
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

/** A run, what is to be done for it (see {@link obstacle}), and how many spans of a dead owner were closed in it already. */
interface Candidate {
  readonly found: BacklogSurvey.Found
  readonly hindered: Drained | null | undefined
  readonly closedSpans: number
}

/** How a run stands that an interruption came before. */
const leftBehind = ({ found, hindered }: Candidate): ReadonlyArray<Drained> =>
  hindered === undefined ? [] : [hindered ?? BacklogRun.notTried(found, "interrupted")]

/** How the server does over one drain. */
interface Trouble {
  readonly runs: number
  readonly giveUp: string | null
}

/** How far a drain is. */
interface Progress {
  readonly trouble: Ref.Ref<Trouble>
  /** The run whose delivery was interrupted. */
  readonly stopped: Ref.Ref<Option.Option<Drained>>
  /** How many candidates are done with. */
  readonly done: Ref.Ref<number>
}

const interrupted = (candidates: ReadonlyArray<Candidate>, { onInterrupted }: DrainOptions, progress: Progress) =>
  Effect.gen(function* () {
    if (onInterrupted === undefined) return
    const stopped = Option.toArray(yield* Ref.get(progress.stopped))
    const untouched = candidates.slice((yield* Ref.get(progress.done)) + stopped.length)
    yield* onInterrupted([...stopped, ...untouched.flatMap(leftBehind)])
  })

const takingOver = (runs: ReadonlyArray<BacklogSurvey.Found>, asked: DrainOptions): Effect.Effect<void> => {
  if (asked.force !== true || asked.onTakeOver === undefined) return Effect.void
  const taken = runs.flatMap((found) =>
    found.doubt !== null && obstacle(found, asked) === null ? [{ runId: found.runId, doubt: found.doubt }] : [],
  )
  return taken.length === 0 ? Effect.void : asked.onTakeOver(taken)
}

const make = (options: Options): Effect.Effect<BacklogService, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const { runsDir, only, durability, endpoint, token, requestTimeout } = options
    const server = { endpoint, token, ...(requestTimeout === undefined ? {} : { requestTimeout }) }
    const excluded = options.exclude === undefined ? undefined : nodePath.resolve(options.exclude)

    const deliver = (candidate: Candidate, asked: DrainOptions, progress: Progress) =>
      Effect.gen(function* () {
        const { found, closedSpans } = candidate
        const { trouble } = progress
        yield* asked.onDelivering ?? Effect.void
        const unreachable = yield* Ref.make(false)
        const watched = http.pipe(
          HttpClient.tap(() => Ref.set(unreachable, false)),
          HttpClient.tapError((error) => Ref.set(unreachable, isUnreachable(error))),
        )
        const { drained, isServerAtFault } = yield* BacklogRun.deliver(
          found,
          { server, durability, force: asked.force === true },
          (stopped) => Ref.set(progress.stopped, Option.some(stopped)),
        ).pipe(Effect.provideService(HttpClient.HttpClient, watched))
        if (drained.delivered > 0) yield* Ref.set(trouble, { runs: 0, giveUp: null })
        if (isServerAtFault) {
          const runs = (yield* Ref.get(trouble)).runs + 1
          const isHopeless = runs >= TROUBLED_RUNS || (yield* Ref.get(unreachable))
          yield* Ref.set(trouble, { runs, giveUp: isHopeless ? drained.lastError : null })
        }
        return { ...drained, closedSpans: closedSpans + drained.closedSpans }
      })

    const drainOne = (candidate: Candidate, asked: DrainOptions, progress: Progress) =>
      Effect.gen(function* () {
        const { found, hindered, closedSpans } = candidate
        if (hindered !== null) return hindered
        const { giveUp } = yield* Ref.get(progress.trouble)
        return giveUp === null
          ? yield* deliver(candidate, asked, progress)
          : { ...BacklogRun.notTried(found, giveUp), closedSpans }
      })

    const candidate = (
      found: BacklogSurvey.Found,
      asked: DrainOptions,
    ): Effect.Effect<Candidate, never, IdGenerator> => {
      const hindered = obstacle(found, asked)
      if (hindered !== null || asked.fromStart !== true) return Effect.succeed({ found, hindered, closedSpans: 0 })
      return Effect.map(
        BacklogRun.setBack(found, { durability, force: asked.force === true }),
        Either.match({
          onLeft: (hindered): Candidate => ({ found, hindered, closedSpans: 0 }),
          onRight: (back): Candidate => ({ ...back, hindered: null }),
        }),
      )
    }

    const drain: BacklogService["drain"] = (asked) =>
      Effect.gen(function* () {
        const progress: Progress = {
          trouble: yield* Ref.make<Trouble>({ runs: 0, giveUp: null }),
          stopped: yield* Ref.make(Option.none<Drained>()),
          done: yield* Ref.make(0),
        }
        const { force, fromStart, inPassing } = asked
        const surveyed = yield* BacklogSurvey.survey(runsDir, { only, gaps: false, force, fromStart, inPassing })
        const runs = surveyed.filter(({ directory }) => directory !== excluded)
        yield* takingOver(runs, asked)
        const candidates = yield* Effect.forEach(runs, (found) => candidate(found, asked))
        const drained = yield* Effect.forEach(candidates, (one) =>
          // A run that was drained is told of and counted, whatever comes then.
          Effect.uninterruptibleMask((restore) =>
            Effect.tap(restore(drainOne(one, asked, progress)), (result) =>
              Effect.zipRight(
                Ref.update(progress.done, (done) => done + 1),
                result === undefined || asked.onDrained === undefined ? Effect.void : asked.onDrained(result),
              ),
            ),
          ),
        ).pipe(Effect.onInterrupt(() => interrupted(candidates, asked, progress)))
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
