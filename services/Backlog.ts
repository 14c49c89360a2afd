import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** How the log of one run of the runs folder stands as an outbox. */
export interface RunBacklog {
  readonly runId: string
  readonly directory: string
  /** Events that the server has not acknowledged; null when the log cannot be read. */
  readonly undelivered: number | null
  /** When the oldest of them was recorded. */
  readonly oldestAt: string | null
  /** True for a run that was recorded offline: it stays local until somebody asks for it. */
  readonly offline: boolean
  /** The live process that owns the run and delivers it itself; null when there is none. */
  readonly owner: number | null
  /** Spans that a dead process left open. */
  readonly openSpans: number
  /** 0 when they cannot be read: `problem` says why. */
  readonly deadLetters: number
  /** Events that the log itself reports as lost (`TELEMETRY_GAP`). */
  readonly lost: number
  /** What is wrong with the log or the files beside it, or what keeps the run from being delivered; null when nothing is. */
  readonly problem: string | null
}

/** Why a run was left alone; `unknown`: from here nobody can tell whether its owner is alive. */
export type Skipped = "owned" | "unknown" | "offline" | "unusable"

/** What became of one run's backlog. */
export interface Drained {
  readonly runId: string
  readonly directory: string
  readonly delivered: number
  readonly undelivered: number
  /** Set aside in this drain. */
  readonly deadLetters: number
  /** Open spans of a dead process that were closed as `ProcessDied`. */
  readonly closedSpans: number
  /** Why it was left alone; null when it was not. */
  readonly skipped: Skipped | null
  /** Why events are still undelivered; null when none are. */
  readonly lastError: string | null
}

export interface DrainOptions {
  /** Also runs that were recorded offline. */
  readonly includeOffline: boolean
  /** Also runs of which nobody can tell from here whether their owner is alive; never those whose owner is seen to be. */
  readonly force?: boolean
  /**
   * Sends every event again, whatever the server has acknowledged: for a server that was replaced. Every run that may be delivered
   * is set back, durably, before the first is delivered: what is not delivered then is for any later drain.
   */
  readonly fromStart?: boolean
  /**
   * For a program that has work of its own: runs of which the small files beside their logs tell that they are offline, owned or
   * delivered are passed over without a look at their logs or a word.
   */
  readonly inPassing?: boolean
  /** Told before the first run is delivered: what came before were looks, and with `fromStart` the setting back of every run. */
  readonly onDelivering?: Effect.Effect<void>
  /** Told with `force`, before anything is changed, of the runs that are taken over though their owner may be alive. */
  readonly onTakeOver?: (runs: ReadonlyArray<{ readonly runId: string; readonly doubt: string }>) => Effect.Effect<void>
  /** Told after each run, in order. */
  readonly onDrained?: (drained: Drained) => Effect.Effect<void>
  /** Told when the drain is interrupted while runs are delivered: the run under way as far as it came, and those behind it. */
  readonly onInterrupted?: (left: ReadonlyArray<Drained>) => Effect.Effect<void>
}

export interface BacklogService {
  /** Every run of the runs folder, oldest first. Changes nothing. */
  readonly survey: Effect.Effect<ReadonlyArray<RunBacklog>>
  /**
   * Delivers what ended or dead processes left behind, oldest run first, one at a time, each owned for as long: two processes
   * that drain the same folder never send the same run at once. Spans left open by a dead process are closed as failed
   * (`ProcessDied`) in the log, and so in the store. Stops trying a server that does not answer; what is left stays in the logs.
   * Interruption leaves every run as far as the server has acknowledged it.
   */
  readonly drain: (options: DrainOptions) => Effect.Effect<ReadonlyArray<Drained>>
}

/** What other processes recorded under a runs folder and the server does not have yet. Never fails: what goes wrong is said. */
export class Backlog extends Context.Tag("runledger/services/Backlog")<Backlog, BacklogService>() {}
