import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { associateCommit } from "./AssociateCommitCommand.js"
import { backup } from "./BackupCommand.js"
import { budget } from "./BudgetCommand.js"
import { type CommandError, ExitCode, usage } from "./CommandError.js"
import { doctor } from "./DoctorCommand.js"
import * as Dress from "./Dress.js"
import { exported } from "./ExportCommand.js"
import * as Help from "./Help.js"
import { launch } from "./LaunchCommand.js"
import { prices } from "./PricesCommand.js"
import * as Progress from "./Progress.js"
import { prune } from "./PruneCommand.js"
import { calls, cost, runs, show } from "./ReadCommands.js"
import { reprice } from "./RepriceCommand.js"
import { sandbox } from "./SandboxCommand.js"
import { schema } from "./SchemaCommand.js"
import { serve } from "./ServeCommand.js"
import { ship } from "./ShipCommand.js"
import { start } from "./StartCommand.js"
import * as UnknownOption from "./UnknownOption.js"
import { verify } from "./VerifyCommand.js"
import { Wiring } from "./Wiring.js"

/** Every command with what it is for, in the order in which a newcomer needs them. */
const SUMMARIES = {
  start: "Try it: a server, one launch of a real folder (by the sandbox), and the tree it made",
  launch: "Turn a folder or git repository into documentation, recording every LLM call",
  serve: "Run the server: the HTTP API over one SQLite file",
  runs: "Launches, newest first, with calls, tokens and cost",
  show: "One run as a tree (tokens, cost, latency, errors), or one call: question, answer, error, evidence",
  calls: "LLM calls, newest first",
  cost: "What calls cost, by model, day, worker, launch, commit or branch",
  budget: "What is spent of the day's, month's, workers' and models' budgets, and where it heads",
  prices: "What tokens cost and where each rate was read; another price file compared, or made yours",
  reprice: "Change what calls cost, on purpose: says first what would change, and can be undone",
  verify: "Check the hash chain of a run's event log",
  ship: "Deliver what earlier runs could not send, once",
  backup: "Copy the server's database while it is in use, checked",
  export: "All matching runs as NDJSON, CSV or Parquet",
  prune: "Let old runs go: from the database, and on demand from a runs folder",
  doctor: "Check this set-up and say how to mend what is wrong",
  "associate-commit": "Say which commit a run belongs to",
  sandbox: "Run the sandbox provider alone: free, deterministic, and marked simulated",
  schema: "Print the JSON Schema of an event, a run or a run config",
} as const

const WIDTH = Math.max(...Object.keys(SUMMARIES).map((name) => name.length))

const PURPOSE = "What a run of LLM calls cost, which call failed, what was asked, and whether anything was lost."

const root = Command.make("runledger").pipe(
  Command.withDescription(PURPOSE),
  Command.withSubcommands([
    start.pipe(Command.withDescription(SUMMARIES.start)),
    launch.pipe(Command.withDescription(SUMMARIES.launch)),
    serve.pipe(Command.withDescription(SUMMARIES.serve)),
    runs.pipe(Command.withDescription(SUMMARIES.runs)),
    show.pipe(Command.withDescription(SUMMARIES.show)),
    calls.pipe(Command.withDescription(SUMMARIES.calls)),
    cost.pipe(Command.withDescription(SUMMARIES.cost)),
    budget.pipe(Command.withDescription(SUMMARIES.budget)),
    prices.pipe(Command.withDescription(SUMMARIES.prices)),
    reprice.pipe(Command.withDescription(SUMMARIES.reprice)),
    verify.pipe(Command.withDescription(SUMMARIES.verify)),
    ship.pipe(Command.withDescription(SUMMARIES.ship)),
    backup.pipe(Command.withDescription(SUMMARIES.backup)),
    exported.pipe(Command.withDescription(SUMMARIES.export)),
    prune.pipe(Command.withDescription(SUMMARIES.prune)),
    doctor.pipe(Command.withDescription(SUMMARIES.doctor)),
    associateCommit.pipe(Command.withDescription(SUMMARIES["associate-commit"])),
    sandbox.pipe(Command.withDescription(SUMMARIES.sandbox)),
    schema.pipe(Command.withDescription(SUMMARIES.schema)),
  ]),
)

const overview = (version: string): string =>
  [
    `runledger ${version}. ${PURPOSE}`,
    "",
    ...Object.entries(SUMMARIES).map(([name, summary]) => `  runledger ${name.padEnd(WIDTH)} ${summary}`),
    "",
    '"runledger <command> --help" explains a command; "--version" says the version; "--log-level debug" says more.',
    "Exit codes: 0 done, 1 usage or configuration, 2 failed or partial, 3 check failed, 130 interrupted.",
  ].join("\n")

const said = (message: string) => Effect.zipRight(clearProgress, Effect.logError(message))
const clearProgress = Effect.flatMap(Progress.ProgressSink, (sink) => sink.clear)

const explained = (error: CommandError) =>
  Effect.as(
    Effect.zipRight(
      said(error.message),
      error.cause === undefined ? Effect.void : Effect.logDebug("Cause", Cause.fail(error.cause)),
    ),
    error.exitCode,
  )

const unforeseen = (cause: Cause.Cause<unknown>) => {
  if (Cause.isInterruptedOnly(cause)) return Effect.interrupt
  const defect = Cause.squash(cause)
  const message = defect instanceof Error ? defect.message : String(defect)
  return said(`Something unforeseen happened: ${message}\nRun again with --log-level debug to see more.`).pipe(
    Effect.zipRight(Effect.logDebug("Cause", cause)),
    Effect.as(ExitCode.failed),
  )
}

/** The command whose help is asked for. */
const helpOn = (words: ReadonlyArray<string>): Option.Option<string> => {
  const end = words.indexOf("--")
  const isAsked = words.slice(0, end === -1 ? words.length : end).some((word) => word === "--help" || word === "-h")
  const name = words.find((word, index) => !word.startsWith("-") && words[index - 1] !== "--log-level")
  return isAsked ? Option.fromNullable(name) : Option.none()
}

/** Runs a command line (as in `process.argv`) and gives its exit code. Nothing but interruption comes out as a failure. */
export const run = (argv: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { version } = yield* Wiring
    const words = argv.slice(2)
    if (words.length === 0 || words[0] === "--help" || words[0] === "-h") {
      yield* Console.log(overview(version))
      return ExitCode.done
    }
    yield* UnknownOption.refuse(root, words)
    const style = yield* Dress.style
    const help = Option.flatMap(helpOn(words), (name) => Help.of(style, root, name))
    if (Option.isSome(help)) {
      yield* Console.log(help.value)
      return ExitCode.done
    }
    yield* Command.run(root, { name: "runledger", version, executable: "runledger" })(argv).pipe(
      Effect.catchIf(ValidationError.isValidationError, () =>
        usage(`"runledger ${words[0] ?? ""} --help" lists what it takes.`),
      ),
    )
    return ExitCode.done
  }).pipe(
    Effect.catchTag("CommandError", explained),
    Effect.catchAllCause(unforeseen),
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
  )
