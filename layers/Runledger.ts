import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { CurrentRun } from "../services/CurrentRun.js"
import type { IdGenerator } from "../services/IdGenerator.js"
import type { PriceBook } from "../services/PriceBook.js"
import type { Telemetry } from "../services/Telemetry.js"
import { hash } from "../src/domain/CanonicalJson.js"
import * as ErrorText from "../src/domain/ErrorText.js"
import type { Capture } from "../src/domain/Evidence.js"
import { launchRunId } from "../src/domain/Ids.js"
import * as BacklogBackground from "./BacklogBackground.js"
import * as BacklogFolders from "./BacklogFolders.js"
import * as CurrentRunDetached from "./CurrentRunDetached.js"
import * as CurrentRunFolder from "./CurrentRunFolder.js"
import * as EventLogNdjson from "./EventLogNdjson.js"
import * as EvidenceStoreFiles from "./EvidenceStoreFiles.js"
import * as IdGeneratorLive from "./IdGeneratorLive.js"
import * as PriceBookTable from "./PriceBookTable.js"
import * as TelemetryHttp from "./TelemetryHttp.js"
import * as TelemetryOffline from "./TelemetryOffline.js"

export interface Options {
  /** What is recorded: a part of the run id. */
  readonly name: string
  /** Made of the time and the name when absent. */
  readonly runId?: string
  /** Where the run's folder goes; `RUNLEDGER_RUNS_DIR`, else `runs`. */
  readonly runsDir?: string
  /** The run that started this one. */
  readonly parentRunId?: string
  /** How much of the calls' content is kept; `RUNLEDGER_CAPTURE`, else `redacted`. */
  readonly capture?: Capture
  /** What an event survives once it is recorded: the process, or a power cut too; `RUNLEDGER_DURABILITY`, else `process`. */
  readonly durability?: EventLogNdjson.Durability
  /** True: nothing is sent; `TELEMETRY_OFFLINE`, else false. */
  readonly offline?: boolean
}

/** Without the setting its default; with one that cannot be read a warning and what stands in for it. */
const setting = <A>(config: Config.Config<A>, byDefault: A, standIn: A = byDefault): Effect.Effect<A> =>
  Config.withDefault(config, byDefault).pipe(
    Effect.catchAll((error) =>
      Effect.as(Effect.logWarning(`A setting cannot be used, "${standIn}" stands in. ${String(error)}`), standIn),
    ),
  )

const CAPTURES = ["redacted", "full", "hash", "off"] as const
const DURABILITIES = ["process", "power"] as const

/** What was meant to be kept secret is not kept because of a slip of the pen, and what was meant to last lasts. */
const settings = Effect.all({
  runsDir: setting<string>(Config.nonEmptyString("RUNLEDGER_RUNS_DIR"), "runs"),
  offline: setting<boolean>(Config.boolean("TELEMETRY_OFFLINE"), false),
  capture: setting<Capture>(Config.literal(...CAPTURES)("RUNLEDGER_CAPTURE"), "redacted", "off"),
  durability: setting<EventLogNdjson.Durability>(
    Config.literal(...DURABILITIES)("RUNLEDGER_DURABILITY"),
    "process",
    "power",
  ),
})

/** The layer, or when it cannot be built a warning and what stands in for it. */
const orElse = <A, E, R, R2>(
  layer: Layer.Layer<A, E, R>,
  what: string,
  standIn: Layer.Layer<A, never, R2>,
): Layer.Layer<A, never, R | R2> =>
  Layer.catchAllCause(layer, (cause) =>
    Layer.merge(Layer.effectDiscard(Effect.logWarning(`${what}. ${ErrorText.ofCause(cause).summary}`)), standIn),
  )

const optional = <E, R>(layer: Layer.Layer<never, E, R>, otherwise: string): Layer.Layer<never, never, R> =>
  orElse(layer, otherwise, Layer.empty)

const prices: Layer.Layer<PriceBook> = orElse(
  PriceBookTable.layerConfig,
  "The price file is not used",
  Layer.orDie(PriceBookTable.layer({})),
).pipe(Layer.provide(NodeFileSystem.layer))

const run = (options: Options, runsDir: string) =>
  Layer.unwrapEffect(
    Effect.map(Clock.currentTimeMillis, (startedAtMillis) => {
      const { name: product, parentRunId } = options
      const runId = options.runId ?? launchRunId({ startedAtMillis, product, ref: "", configHash: hash(product) })
      const folder = CurrentRunFolder.layer({ runsDir, runId, parentRunId, resume: false, config: { name: product } })
      return orElse(folder, "The run is kept in memory only", CurrentRunDetached.layer({ runId, parentRunId }))
    }),
  )

const kept = (capture: Capture, durability: EventLogNdjson.Durability, offline: boolean) =>
  Layer.merge(
    optional(EventLogNdjson.layer({ durability, held: offline }), "There is no event log"),
    optional(EvidenceStoreFiles.layer({ capture, secrets: [] }), "No evidence is kept"),
  )

/** Delivers what earlier runs of the runs folder left behind, beside the program. */
const draining = (runsDir: string, durability: EventLogNdjson.Durability) =>
  optional(
    BacklogBackground.draining.pipe(Layer.provide(BacklogFolders.layerConfig({ runsDir, durability }))),
    "What earlier runs left behind is not delivered now",
  )

/** Events go to the server, those of earlier runs too; a program without a server sends none. */
const sending = (runsDir: string, durability: EventLogNdjson.Durability) =>
  draining(runsDir, durability).pipe(
    Layer.provideMerge(TelemetryHttp.layerConfig),
    Layer.provide(FetchHttpClient.layer),
  )

/**
 * All that `RecordedRun` needs but the model, for a program that records its calls as a run of its own: a run folder with an
 * event log and evidence, ids, prices, and telemetry to `TELEMETRY_API_URL` or, offline, to nowhere. It cannot fail: what
 * cannot be had is a warning, and the program runs with what is left, at worst in memory. Closing its scope flushes telemetry
 * within its deadline and gives the folder free. While it is open, what earlier runs in the same runs folder could not send is
 * delivered in the background, unless it is offline. Settings: those of `TelemetryHttp.layerConfig`, `TELEMETRY_OFFLINE`,
 * `RUNLEDGER_RUNS_DIR`, `RUNLEDGER_PRICES`, `RUNLEDGER_CAPTURE`, `RUNLEDGER_DURABILITY`.
 */
export const layer = (options: Options): Layer.Layer<CurrentRun | IdGenerator | PriceBook | Telemetry> =>
  Layer.unwrapEffect(
    Effect.map(settings, (defaults) => {
      const offline = options.offline ?? defaults.offline
      const runsDir = options.runsDir ?? defaults.runsDir
      const durability = options.durability ?? defaults.durability
      const telemetry = offline ? TelemetryOffline.layer : sending(runsDir, durability)
      return Layer.mergeAll(telemetry, prices, IdGeneratorLive.layer).pipe(
        Layer.provideMerge(kept(options.capture ?? defaults.capture, durability, offline)),
        Layer.provideMerge(run(options, runsDir)),
      )
    }),
  )
