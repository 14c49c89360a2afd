import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type { Budget } from "../../services/Budget.js"
import { CurrentRun } from "../../services/CurrentRun.js"
import type { RunCreated } from "../domain/Event.js"
import * as GitUrl from "../domain/GitUrl.js"
import type { RunConfig } from "../domain/RunConfig.js"
import type { RunState } from "../domain/RunState.js"
import { Recorder } from "../telemetry/Recorder.js"
import * as RunSpan from "../telemetry/RunSpan.js"
import * as WorkerSpan from "../telemetry/WorkerSpan.js"
import * as Artifacts from "./Artifacts.js"
import type { Deadline } from "./Ask.js"
import * as CallLedger from "./CallLedger.js"
import * as FactsBuilder from "./FactsBuilder.js"
import * as Input from "./Input.js"
import type { LaunchReport } from "./LaunchReport.js"
import * as Planner from "./Planner.js"
import * as Report from "./Report.js"
import * as RepoScout from "./RepoScout.js"
import * as SectionWriter from "./SectionWriter.js"
import * as SnapshotFile from "./SnapshotFile.js"

export type { LaunchReport } from "./LaunchReport.js"

/** What a launch works on. */
export interface LaunchInput {
  /** From `Input.identify`. */
  readonly identity: Input.InputIdentity
  /** Is read, never changed. */
  readonly config: RunConfig
  /** Who started it, such as `cli`; kept in the run's row. */
  readonly trigger?: string | undefined
}

/** Why a launch failed: its input, or a file that could not be written. What was written before stays. */
export type LaunchError = Input.InputError | Artifacts.ArtifactError

type Needs = CurrentRun | Recorder | Budget | FileSystem.FileSystem | Path.Path | CommandExecutor.CommandExecutor

const AGENT = "launch.orchestrator"

const created = ({ identity, config, trigger }: LaunchInput): RunCreated => ({
  agent_name: AGENT,
  job_type: "launch",
  product: identity.product,
  source_ref: identity.location,
  input_summary: `${identity.location} at ${identity.sha.slice(0, 12)}`,
  git_repo: config.git?.repo === undefined ? (identity.checkout?.repo ?? null) : GitUrl.recorded(config.git.repo),
  git_branch: config.git?.branch ?? identity.checkout?.branch ?? null,
  git_commit_hash: identity.checkout?.commit ?? null,
  git_commit_author: identity.checkout?.author ?? null,
  git_commit_timestamp: identity.checkout?.timestamp ?? null,
  trigger_type: trigger ?? null,
  context_json: {
    model: config.llm.model,
    repo_sha: identity.sha,
    sha_source: identity.shaSource,
    ...(identity.checkout === null ? {} : { git_dirty: identity.checkout.isDirty }),
  },
})

/** What a launch has come to so far. */
interface Progress {
  readonly scouted?: RepoScout.Scouted
  readonly built?: FactsBuilder.Built
  readonly planned?: Planner.Planned
  readonly written?: SectionWriter.Written
}

interface Launch extends LaunchInput {
  readonly ledger: CallLedger.CallLedger
  readonly snapshot: SnapshotFile.SnapshotFile
  readonly progress: Ref.Ref<Progress>
  readonly state: Ref.Ref<RunState>
  readonly startedNanos: bigint
  readonly deadline: Option.Option<Deadline>
}

const open = (input: LaunchInput): Effect.Effect<Launch, never, CurrentRun> =>
  Effect.gen(function* () {
    const startedNanos = yield* Clock.currentTimeNanos
    const maxRuntime = Option.fromNullable(input.config.budgets.max_runtime)
    return {
      ...input,
      ledger: yield* CallLedger.make,
      snapshot: yield* SnapshotFile.make,
      progress: yield* Ref.make<Progress>({}),
      state: yield* Ref.make<RunState>("CREATED"),
      startedNanos,
      deadline: Option.map(maxRuntime, (maxRuntimeSeconds) => ({
        nanos: startedNanos + BigInt(Math.round(maxRuntimeSeconds * 1e9)),
        maxRuntimeSeconds,
      })),
    }
  })

const elapsedMs = (launch: Launch): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeNanos, (now) => Math.round(Number(now - launch.startedNanos) / 1e6))

const advance = (launch: Launch, to: RunState) =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    const from = yield* Ref.getAndSet(launch.state, to)
    yield* recorder.record({ type: "RUN_STATE_CHANGED", payload: { old_state: from, new_state: to } })
    yield* launch.snapshot.write
  })

/** A run that is taken up again goes back to its beginning: its calls are answered from their evidence. */
const reopen = (launch: Launch) =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    if (!run.resumed) return yield* launch.snapshot.write
    const { state, open_issues } = yield* launch.snapshot.current
    yield* Ref.set(launch.state, state)
    const recorder = yield* Recorder
    const message = "The run is taken up again; what still holds is reported anew."
    for (const issue_id of Object.keys(open_issues)) {
      yield* recorder.record({ type: "ISSUE_RESOLVED", payload: { issue_id, message } })
    }
    yield* advance(launch, "CREATED")
  })

const worked = <A, E, R>(
  worker: string,
  effect: Effect.Effect<A, E, R>,
  describe: NonNullable<WorkerSpan.WorkerOptions<A>["describe"]>,
) =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    const attempt = yield* run.nextAttempt(worker)
    yield* WorkerSpan.queued(worker, attempt)
    const agentName = `launch.workers.${worker.slice(worker.indexOf(".") + 1)}`
    return yield* WorkerSpan.around({ worker, agentName, attempt, describe }, effect)
  })

const keep = <K extends keyof Progress>(launch: Launch, part: K, value: NonNullable<Progress[K]>) =>
  Ref.update(launch.progress, (progress) => ({ ...progress, [part]: value }))

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const scout = (launch: Launch, folder: string) =>
  worked(RepoScout.WORKER, RepoScout.run({ ...launch, folder }), ({ inventory }) => ({
    items_discovered: inventory.file_count,
    items_succeeded: inventory.doc_files.length,
    output_summary: `${counted(inventory.file_count, "file")}, ${counted(inventory.doc_files.length, "document")}`,
  })).pipe(Effect.tap((scouted) => keep(launch, "scouted", scouted)))

const buildFacts = (launch: Launch, scouted: RepoScout.Scouted) =>
  worked(FactsBuilder.WORKER, FactsBuilder.run({ ...launch, ...scouted }), ({ facts, problems }) => ({
    items_discovered: facts.claims.length,
    items_succeeded: facts.claims.length,
    output_summary: `${counted(facts.claims.length, "claim")}${problems.length > 0 ? `, ${problems.length} batches by rule` : ""}`,
  })).pipe(Effect.tap((built) => keep(launch, "built", built)))

const planPages = (launch: Launch, built: FactsBuilder.Built) =>
  worked(Planner.WORKER, Planner.run(built), ({ plan, catalog }) => ({
    items_discovered: built.facts.claims.length,
    items_succeeded: plan.pages.length,
    items_skipped: plan.unplaced_claims,
    output_summary: `${counted(plan.pages.length, "page")}, ${counted(catalog.snippets.length, "snippet")}`,
  })).pipe(Effect.tap((planned) => keep(launch, "planned", planned)))

const writeSections = (launch: Launch, built: FactsBuilder.Built, planned: Planner.Planned) =>
  worked(SectionWriter.WORKER, SectionWriter.run({ ...launch, ...planned, facts: built.facts }), (written) => ({
    status: written.fellBack > 0 ? ("partial" as const) : ("success" as const),
    items_discovered: planned.plan.pages.length,
    items_succeeded: written.manifest.drafts.length - written.fellBack,
    items_failed: written.fellBack,
    error_summary: written.shortfall,
    output_summary: `${counted(written.manifest.drafts.length, "page")}${written.fellBack > 0 ? `, ${written.fellBack} from the template` : ""}`,
  })).pipe(Effect.tap((written) => keep(launch, "written", written)))

const report = (launch: Launch, outcome: string) =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    const { scouted, built, planned, written } = yield* Ref.get(launch.progress)
    const cached = built?.cachedBatches ?? 0
    yield* Report.write({
      runId: run.runId,
      source: launch.identity.location,
      sha: launch.identity.sha,
      model: launch.config.llm.model,
      outcome,
      durationMs: yield* elapsedMs(launch),
      calls: yield* launch.ledger.entries,
      inventory: scouted?.inventory,
      facts: built?.facts,
      plan: planned?.plan,
      manifest: written?.manifest,
      notes: [
        ...(built?.problems ?? []),
        ...(cached > 0 ? [`${cached} batches of claims were answered from the enrichment cache.`] : []),
      ],
    })
  })

/** The recipe. */
const stages = (launch: Launch) =>
  Effect.gen(function* () {
    yield* reopen(launch)
    const folder = yield* Input.checkout(launch.identity)
    yield* advance(launch, "CLONED_INPUTS")
    const scouted = yield* scout(launch, folder)
    yield* advance(launch, "INGESTED")
    const built = yield* buildFacts(launch, scouted)
    yield* advance(launch, "FACTS_READY")
    const planned = yield* planPages(launch, built)
    yield* advance(launch, "PLAN_READY")
    yield* advance(launch, "DRAFTING")
    const written = yield* writeSections(launch, built, planned)
    yield* advance(launch, "DRAFT_READY")
    const status = written.fellBack > 0 ? ("partial" as const) : ("success" as const)
    yield* report(launch, status)
    yield* advance(launch, "DONE")
    return { status, written }
  }).pipe(Effect.scoped)

/** A launch that breaks off says so and leaves a report of what it came to. */
const brokenOff = (launch: Launch, cause: Cause.Cause<LaunchError>) => {
  const cancelled = Cause.isInterruptedOnly(cause)
  return Effect.gen(function* () {
    yield* Effect.ignore(report(launch, cancelled ? "cancelled" : "failed"))
    yield* advance(launch, cancelled ? "CANCELLED" : "FAILED")
  })
}

type Staged = Effect.Effect.Success<ReturnType<typeof stages>>

const summarised = (
  launch: Launch,
  { status, written }: Staged,
): Effect.Effect<LaunchReport, LaunchError, CurrentRun> =>
  Effect.gen(function* () {
    const run = yield* CurrentRun
    const sums = CallLedger.totals(yield* launch.ledger.entries)
    const simulated = sums.costStatus === "simulated"
    return {
      run_id: run.runId,
      run_dir: yield* Artifacts.runFolder,
      status,
      calls: sums.calls,
      failed_calls: sums.failed,
      input_tokens: sums.inputTokens,
      output_tokens: sums.outputTokens,
      cost_usd: simulated ? sums.simulatedCostUsd : sums.costUsd,
      cost_status: sums.costStatus,
      simulated_cost_usd: sums.simulatedCostUsd,
      unpriced_calls: sums.unpricedCalls,
      replayed_calls: sums.replayedCalls,
      duration_ms: yield* elapsedMs(launch),
      pages: written.manifest.drafts.length,
      template_pages: written.fellBack,
    }
  })

const outcome = ({ status, written }: Staged) => ({
  status,
  items_discovered: written.manifest.drafts.length,
  items_succeeded: written.manifest.drafts.length - written.fellBack,
  items_failed: written.fellBack,
  error_summary: written.shortfall,
  output_summary: `${written.manifest.drafts.length} pages`,
})

/**
 * One launch: turns a repository into documentation in the current run's folder. Scout, facts, plan, drafts, report, each
 * recorded; models are asked only when `LlmSpan` is there. Pages that the model did not write come from the template and make
 * the result `partial`. A failure or an interruption is recorded as such, and everything written stays.
 */
export const launch = (input: LaunchInput): Effect.Effect<LaunchReport, LaunchError, Needs> =>
  Effect.gen(function* () {
    const opened = yield* open(input)
    const program = Effect.onExit(stages(opened), (exit) =>
      Exit.isFailure(exit) ? brokenOff(opened, exit.cause) : Effect.void,
    )
    const staged = yield* RunSpan.around(created(input), program, outcome).pipe(Effect.ensuring(opened.snapshot.write))
    return yield* summarised(opened, staged)
  })
