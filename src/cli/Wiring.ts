import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Backlog } from "../../services/Backlog.js"
import type { Budget } from "../../services/Budget.js"
import type { CurrentRun } from "../../services/CurrentRun.js"
import type { EventLog, EventLogError } from "../../services/EventLog.js"
import type { EvidenceError, EvidenceStore } from "../../services/EvidenceStore.js"
import type { IdGenerator } from "../../services/IdGenerator.js"
import type { LivePrices } from "../../services/LivePrices.js"
import type { LlmClient } from "../../services/LlmClient.js"
import type { PriceBook } from "../../services/PriceBook.js"
import type { RunReader } from "../../services/RunReader.js"
import type { RunStore, RunStoreError } from "../../services/RunStore.js"
import type { Telemetry } from "../../services/Telemetry.js"
import type { BackupReport } from "../domain/BackupReport.js"
import type { BudgetReport } from "../domain/BudgetReport.js"
import type { PriceOf } from "../domain/CallPricing.js"
import type { DatabaseReport } from "../domain/DatabaseReport.js"
import type { Capture, Evidence } from "../domain/Evidence.js"
import type { FolderGoal, FolderPruned } from "../domain/FolderPruning.js"
import type { LogAudit, LogSurroundings } from "../domain/LogAudit.js"
import type { Received, ReceivedEvent } from "../domain/Received.js"
import type { RunConfig } from "../domain/RunConfig.js"
import type { CommandError } from "./CommandError.js"
import type { Durability } from "./Environment.js"
import type { TelemetrySettings } from "./LaunchSettings.js"

/** Who answers the calls of a launch. With `resume` or `replay`, evidence answers first. */
export type Answerer =
  | {
      readonly kind: "messages-api"
      readonly apiKey: Redacted.Redacted<string>
      readonly baseUrl: Option.Option<string>
      /** The address is the sandbox's, so that even an answer that never came costs nothing. */
      readonly sandbox: boolean
    }
  | {
      readonly kind: "chat-completions"
      /** A server of one's own may take none. */
      readonly apiKey: Option.Option<Redacted.Redacted<string>>
      readonly baseUrl: Option.Option<string>
    }
  | { readonly kind: "replay" }

/** Who is asked when the answerer fails in a way that another try might mend; `model` in place of the launch's. */
export interface Alternate {
  readonly answerer: Exclude<Answerer, { readonly kind: "replay" }>
  readonly model: string | undefined
}

/** Where budget alerts go, and the secret that they are signed with. */
export interface WebhookAccess {
  readonly url: Redacted.Redacted<string>
  readonly secret?: Redacted.Redacted<string> | undefined
}

/** Everything that a launch's layers need to know. */
export interface LaunchSetup {
  readonly runsDir: string
  readonly runId: string
  readonly resume: boolean
  readonly config: RunConfig
  /** Kept as `run_config.json`. */
  readonly keptConfig: unknown
  readonly answerer: Answerer
  readonly alternates: ReadonlyArray<Alternate>
  readonly telemetry: TelemetrySettings
  readonly capture: Capture
  readonly durability: Durability
  readonly pricesFile: Option.Option<string>
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
  /** Who is told of budget alerts. */
  readonly webhook: Option.Option<WebhookAccess>
}

/** What a launch works with. */
export type LaunchServices =
  | Budget
  | CurrentRun
  | EventLog
  | EvidenceStore
  | IdGenerator
  | LlmClient
  | PriceBook
  | Telemetry

/** The platform that every layer may stand on. */
export type Platform = FileSystem.FileSystem | Path.Path | HttpClient.HttpClient

export interface ServerAccess {
  readonly endpoint: string
  readonly token: Option.Option<Redacted.Redacted<string>>
  readonly requestTimeout?: Duration.DurationInput | undefined
}

/** Whose backlogs are looked at, and where they go. */
export interface BacklogSetup extends ServerAccess {
  readonly runsDir: string
  /** The name of the only run folder to look at; all of them when absent. */
  readonly only?: string | undefined
  /** `process` when absent. */
  readonly durability?: Durability | undefined
}

export interface WiringService {
  /** The package's version and the folder where it stands. */
  readonly version: string
  readonly packageFolder: string
  /** The layers of one launch: its run folder is made and owned until their scope closes. */
  readonly launch: (setup: LaunchSetup) => Layer.Layer<LaunchServices, CommandError, Platform>
  /** Prices with the user's file that is named, else with the one beside the database when there is one. */
  readonly prices: (file: Option.Option<string>) => Layer.Layer<PriceBook, CommandError, Platform>
  /** The same, to be read anew while they are used. */
  readonly livePrices: (file: Option.Option<string>) => Layer.Layer<LivePrices, CommandError, Platform>
  /** Makes a file, checked before, the user's price file; says where the one before is kept. */
  readonly installPrices: (
    from: string,
    path: string,
  ) => Effect.Effect<{ readonly backup: string | null }, { readonly message: string }>
  readonly serverReader: (access: ServerAccess) => Layer.Layer<RunReader, never, Platform>
  /** Reads one run's folder only when `only` names it. */
  readonly folderReader: (runsDir: string, only?: string) => Layer.Layer<RunReader, never, Platform>
  /** What a call of a run asked and got, as the run's folder has it, and in which file. */
  readonly evidence: (
    runsDir: string,
    runId: string,
    callId: string,
  ) => Effect.Effect<Option.Option<{ readonly file: string; readonly evidence: Evidence }>, EvidenceError>
  readonly backlog: (setup: BacklogSetup) => Layer.Layer<Backlog, never, Platform>
  /**
   * With `house`, the store of a server: it has a plan for a full disk, looks at what a crash left, and prices calls that come
   * with tokens and without a word about their cost.
   */
  readonly store: (
    path: string,
    house?: { readonly ballastBytes: number; readonly priceOf: PriceOf },
  ) => Layer.Layer<RunStore, RunStoreError>
  /** Copies a database, whoever has it open. */
  readonly backup: (options: {
    readonly from: string
    readonly to: string
    readonly force: boolean
  }) => Effect.Effect<BackupReport, RunStoreError>
  /** Removes old run folders, or says which would go. */
  readonly pruneFolders: (
    runsDir: string,
    goal: FolderGoal,
  ) => Effect.Effect<ReadonlyArray<FolderPruned>, EventLogError>
  /** Bytes on standard output, as fast as its reader takes them. */
  readonly writeOut: (bytes: Uint8Array) => Effect.Effect<void>
  /** Makes this process the one server of a database; `announce` tells others where it listens. */
  readonly serverLock: (
    path: string,
  ) => Effect.Effect<{ readonly announce: (url: string) => Effect.Effect<void> }, RunStoreError, Scope.Scope>
  /** Where the server of a database on this machine listens; none when none does, or none that tells. */
  readonly serverOfDatabase: (path: string) => Effect.Effect<Option.Option<string>>
  /** What a runs folder's ledger of budgets says; none when there is no ledger. Changes nothing of it. */
  readonly budgets: (runsDir: string) => Effect.Effect<Option.Option<BudgetReport>, CommandError>
  /** Checks the chain of any log and says where hashes stand in it. */
  readonly audit: (file: string, hashes: ReadonlyArray<string>) => Effect.Effect<LogAudit, EventLogError>
  /** Holds every event that a server received of a run against the run's log. */
  readonly received: <E>(
    file: string,
    events: Stream.Stream<ReceivedEvent, E>,
  ) => Effect.Effect<Received, EventLogError | E>
  /** What is known of a log without reading all of it. */
  readonly surroundings: (file: string) => Effect.Effect<LogSurroundings, EventLogError>
  /** Checks a database that exists, and changes nothing of it. */
  readonly checkDatabase: (path: string) => Effect.Effect<DatabaseReport, RunStoreError>
}

/** Says which layer keeps which promise. Commands ask here and know no layer; the program's main file answers. */
export class Wiring extends Context.Tag("runledger/cli/Wiring")<Wiring, WiringService>() {}
