import { fileURLToPath } from "node:url"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import manifest from "../package.json" with { type: "json" }
import { CurrentRun } from "../services/CurrentRun.js"
import type { EvidenceStoreService } from "../services/EvidenceStore.js"
import { LlmClient, type LlmClientService } from "../services/LlmClient.js"
import { ExitCode, failure, usage } from "./cli/CommandError.js"
import * as Leaving from "./cli/Leaving.js"
import { type Answerer, type LaunchSetup, Wiring, type WiringService } from "./cli/Wiring.js"
import type { RunConfig } from "./domain/RunConfig.js"

/** A layer whose room is loaded only when it is built: what a command does not use costs it no start-up time. */
const room = <A, E, R>(open: () => Promise<Layer.Layer<A, E, R>>): Layer.Layer<A, E, R> =>
  Layer.unwrapEffect(Effect.promise(open))

const refused = (error: { readonly message: string }) => usage(error.message, error)

const ids = room(async () => (await import("../layers/IdGeneratorLive.js")).layer)

/** Where the run is kept: its folder, its log (what a dead process left open in it is closed first), its evidence. */
const keeping = ({ runsDir, runId, resume, config, keptConfig, telemetry, ...kept }: LaunchSetup) =>
  room(async () => {
    const [CurrentRunFolder, EventLogNdjson, EvidenceStoreFiles, LeftOpen] = await Promise.all([
      import("../layers/CurrentRunFolder.js"),
      import("../layers/EventLogNdjson.js"),
      import("../layers/EvidenceStoreFiles.js"),
      import("../layers/LeftOpen.js"),
    ])
    const { _telemetry_trace_id: traceId, _telemetry_parent_span_id: spanId } = config
    const trace = traceId === undefined ? undefined : { trace_id: traceId, ...(spanId && { span_id: spanId }) }
    const log = EventLogNdjson.layer({ durability: kept.durability, held: !telemetry.on })
    return Layer.merge(
      Layer.provideMerge(Layer.provide(LeftOpen.closed, ids), log),
      EvidenceStoreFiles.layer(kept),
    ).pipe(
      Layer.provideMerge(CurrentRunFolder.layer({ runsDir, runId, resume, config: keptConfig, trace })),
      Layer.mapError(refused),
    )
  })

const TelemetryOffline = room(async () => (await import("../layers/TelemetryOffline.js")).layer)

/** Where its events go. A telemetry that cannot be built is a warning: the launch runs without it. */
const sending = ({ telemetry }: LaunchSetup) =>
  telemetry.on
    ? room(async () => (await import("../layers/TelemetryHttp.js")).layer(telemetry)).pipe(
        Layer.catchAllCause((cause) =>
          Layer.merge(
            Layer.effectDiscard(Effect.logWarning("Telemetry cannot be started; this run stays here.", cause)),
            TelemetryOffline,
          ),
        ),
      )
    : TelemetryOffline

/** The evidence of every other run under the runs folder, the newest first. */
const earlierEvidence = ({ runsDir, capture, secrets }: LaunchSetup, own: Option.Option<string>) =>
  Effect.gen(function* () {
    const [{ FileSystem }, { Path }, { fromDirectory }] = yield* Effect.promise(() =>
      Promise.all([
        import("@effect/platform/FileSystem"),
        import("@effect/platform/Path"),
        import("../layers/EvidenceStoreFiles.js"),
      ]),
    )
    const fs = yield* FileSystem
    const path = yield* Path
    const names = yield* Effect.orElseSucceed(fs.readDirectory(runsDir), () => [])
    const folders = names
      .filter((name) => !name.startsWith("."))
      .toSorted()
      .toReversed()
      .map((name) => path.resolve(runsDir, name))
    return yield* Effect.forEach(
      folders.filter((folder) => !Option.contains(own, folder)),
      (folder) => fromDirectory(folder, { capture, secrets }),
    )
  })

type Asked = Exclude<Answerer, { readonly kind: "replay" }>

const provider = ({ llm }: RunConfig, asked: Asked) =>
  room(async () => {
    const baseUrl = Option.getOrUndefined(asked.baseUrl)
    const policy = { timeout: `${llm.timeout} seconds`, maxRetries: llm.max_retries } as const
    if (asked.kind === "messages-api") {
      const { apiKey, sandbox } = asked
      return (await import("../layers/LlmClientAnthropic.js")).layer({ apiKey, baseUrl, sandbox, ...policy })
    }
    const apiKey = Option.getOrUndefined(asked.apiKey)
    return (await import("../layers/LlmClientOpenAiCompatible.js")).layer({ apiKey, baseUrl, ...policy })
  })

/** A provider, and behind it those that the run config falls back to. */
const providers = ({ alternates, config }: LaunchSetup, asked: Asked) => {
  const primary = provider(config, asked)
  if (alternates.length === 0) return primary
  const others = alternates.map(({ answerer, model }) => ({ client: provider(config, answerer), model }))
  return room(async () => (await import("../layers/LlmClientFallback.js")).layer({ primary, alternates: others }))
}

const answeredFrom = (sources: ReadonlyArray<EvidenceStoreService>, fallback: Option.Option<LlmClientService>) =>
  room(async () => (await import("../layers/LlmClientReplay.js")).layer({ sources, fallback }))

/** Who answers: evidence of earlier runs, or a provider; for a resumed run its own evidence before either. */
const answering = (setup: LaunchSetup) =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const { directory } = yield* CurrentRun
      const { EvidenceStore } = yield* Effect.promise(() => import("../services/EvidenceStore.js"))
      const own = setup.resume ? [yield* EvidenceStore] : []
      if (setup.answerer.kind === "replay") {
        return answeredFrom([...own, ...(yield* earlierEvidence(setup, directory))], Option.none())
      }
      const asked = providers(setup, setup.answerer)
      const resumed = Layer.unwrapEffect(
        Effect.map(LlmClient, (client) => answeredFrom(own, Option.some(client))),
      ).pipe(Layer.provide(asked))
      return setup.resume ? resumed : asked
    }),
  )

const prices: WiringService["prices"] = (file) =>
  room(async () => (await import("../layers/PriceBookFound.js")).layer(file)).pipe(Layer.mapError(refused))

const livePrices: WiringService["livePrices"] = (file) =>
  room(async () => (await import("../layers/LivePricesTable.js")).layer(file)).pipe(Layer.mapError(refused))

const limits = ({ config: { budgets }, runsDir, webhook }: LaunchSetup) =>
  room(async () => {
    const [BudgetLedger, BudgetLimits] = await Promise.all([
      import("../layers/BudgetLedger.js"),
      import("./domain/BudgetLimits.js"),
    ])
    return BudgetLedger.layer({ ...BudgetLimits.ofConfig(budgets), runsDir, webhook: Option.getOrUndefined(webhook) })
  }).pipe(Layer.mapError(refused))

const backlog: WiringService["backlog"] = ({ durability = "process", ...setup }) =>
  room(async () => {
    const { requestTimeout, ...rest } = setup
    const { layer } = await import("../layers/BacklogFolders.js")
    return layer({ ...rest, durability, ...(requestTimeout === undefined ? {} : { requestTimeout }) })
  })

/** Delivers what earlier runs left behind, beside the launch. */
const draining = ({ telemetry, runsDir, durability }: LaunchSetup) =>
  telemetry.on
    ? room(async () => (await import("../layers/BacklogBackground.js")).draining).pipe(
        Layer.provide(backlog({ ...telemetry, runsDir, durability })),
        Layer.catchAllCause((cause) =>
          Layer.effectDiscard(Effect.logWarning("What earlier runs left behind is not delivered now.", cause)),
        ),
      )
    : Layer.empty

/** A launch whose events are sent ({@link TelemetryHttp}) or stay ({@link TelemetryOffline}), as its settings say. */
const Launch: WiringService["launch"] = (setup) =>
  Layer.mergeAll(
    Layer.provideMerge(draining(setup), sending(setup)),
    answering(setup),
    prices(setup.pricesFile),
    limits(setup),
    ids,
  ).pipe(Layer.provideMerge(keeping(setup)))

const LogAudits = Effect.promise(() => import("../layers/LogAudit.js"))

const wiring: WiringService = {
  version: manifest.version,
  packageFolder: fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? ".." : "../..", import.meta.url)).replace(
    /[\\/]$/,
    "",
  ),
  launch: Launch,
  prices,
  livePrices,
  installPrices: (from, path) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/PriceFileInstall.js")),
      ({ install }) => install(from, path),
    ),
  serverReader: (access) => room(async () => (await import("../layers/RunReaderHttp.js")).layer(access)),
  folderReader: (runsDir, only) =>
    room(async () => (await import("../layers/RunReaderFolders.js")).layer({ runsDir, only })),
  evidence: (runsDir, runId, callId) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/EvidenceOfCall.js")),
      ({ find }) => find(runsDir, runId, callId),
    ),
  backlog,
  store: (path, house) =>
    room(async () => (await import("../layers/RunStoreSql.js")).layer({ path, house, priceOf: house?.priceOf })),
  backup: (options) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/RunStoreSqlBackup.js")),
      ({ backup }) => backup(options),
    ),
  pruneFolders: (runsDir, goal) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/RunFolderPrune.js")),
      ({ prune }) => prune(runsDir, goal),
    ),
  writeOut: (bytes) =>
    // Written when the system has it: a program that leaves before loses what waits for a slow reader.
    Effect.async<void>((resume) => void process.stdout.write(bytes, () => resume(Effect.void))),
  serverLock: (path) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/ServerLock.js")),
      ({ hold }) => hold(path),
    ),
  serverOfDatabase: (path) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/ServerLock.js")),
      ({ listensAt }) => listensAt(path),
    ),
  budgets: (runsDir) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/BudgetLedgerReport.js")),
      ({ read }) => Effect.mapError(read(runsDir), (error) => failure(error.message, error)),
    ),
  audit: (file, hashes) => Effect.flatMap(LogAudits, ({ audit }) => audit(file, hashes)),
  received: (file, events) => Effect.flatMap(LogAudits, ({ received }) => received(file, events)),
  surroundings: (file) => Effect.flatMap(LogAudits, ({ surroundings }) => surroundings(file)),
  checkDatabase: (path) =>
    Effect.flatMap(
      Effect.promise(() => import("../layers/RunStoreSqlCheck.js")),
      ({ check }) => check(path),
    ),
}

const Platform = room(async () => {
  const [NodeCommandExecutor, NodeFileSystem, NodePath, NodeTerminal, FetchHttpClient] = await Promise.all([
    import("@effect/platform-node/NodeCommandExecutor"),
    import("@effect/platform-node/NodeFileSystem"),
    import("@effect/platform-node/NodePath"),
    import("@effect/platform-node/NodeTerminal"),
    import("@effect/platform/FetchHttpClient"),
  ])
  return Layer.mergeAll(NodeCommandExecutor.layer, NodePath.layer, NodeTerminal.layer, FetchHttpClient.layer).pipe(
    Layer.provideMerge(NodeFileSystem.layer),
  )
})

const isDebugging = process.argv.some(
  (word, index, words) => /^(?:all|trace|debug)$/.test(word) && words[index - 1] === "--log-level",
)

/** Standard error, with the colours and details that were asked for. */
const Screen = room(async () => {
  const [Ansi, ErrorStream] = await Promise.all([import("./cli/Ansi.js"), import("./cli/ErrorStream.js")])
  const { stderr } = process
  const stream = {
    write: (text: string) => stderr.write(text),
    isTerminal: stderr.isTTY,
    columns: () => stderr.columns,
  }
  return Layer.unwrapEffect(
    Effect.map(Ansi.wanted(stderr.isTTY), (colour) => ErrorStream.layer(stream, { colour, debug: isDebugging })),
  )
})

const Main = Layer.mergeAll(Platform, Layer.succeed(Wiring, wiring), Screen)

/** Nothing but colours reaches a terminal as control characters; colours stay away from pipes and from those who set `NO_COLOR`. */
const commandLine = Effect.gen(function* () {
  const [Ansi, Cli] = yield* Effect.promise(() => Promise.all([import("./cli/Ansi.js"), import("./cli/Cli.js")]))
  const console = yield* Effect.console
  const isColoured = yield* Ansi.wanted(process.stdout.isTTY && process.stderr.isTTY)
  return yield* Effect.withConsole(
    Effect.provide(Cli.run(process.argv), Main),
    isColoured ? Ansi.guarded(console) : Ansi.uncoloured(console),
  )
})

const isVersionAsked = process.argv.length === 3 && process.argv[2] === "--version"

// Nobody reads the log lines any more: the work goes on without them.
process.stderr.on("error", () => {})

// A reader that has seen enough (`runledger runs | head`) closes the pipe: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(ExitCode.done)
  process.stderr.write(`error: the answer could not be written (${error.message}). Check where standard output goes.\n`)
  process.exit(ExitCode.failed)
})

Leaving.runMain({ debug: isDebugging })(
  isVersionAsked ? Effect.as(Console.log(manifest.version), ExitCode.done) : commandLine,
  {
    disableErrorReporting: true,
    disablePrettyLogger: true,
    // Nothing but an interruption (Ctrl-C, SIGTERM or SIGHUP) comes out as a failure.
    teardown: (exit, onExit) =>
      onExit(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : ExitCode.interrupted),
  },
)
