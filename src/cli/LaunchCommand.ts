import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import type { Provider } from "../domain/RunConfig.js"
import { json, runsDir } from "./ReadOptions.js"

const PROVIDERS: ReadonlyArray<Provider> = ["anthropic", "openai", "sandbox", "replay"]

/** Who answers; shared by `launch` and `start`. */
export const provider = Options.choice("provider", PROVIDERS).pipe(
  Options.withDescription(
    "Who answers: anthropic with a key, openai or a server that speaks like it, sandbox without, replay from earlier runs' evidence",
  ),
  Options.optional,
)

const named = (name: string, pseudoName: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName(pseudoName), Options.withDescription(description), Options.optional)

/** Which model; shared by `launch` and `start`. */
export const model = named("model", "MODEL", "The model to ask")

const options = {
  input: Args.text({ name: "folder|git url" }).pipe(
    Args.withDescription("What to document; repo of the run config when absent"),
    Args.optional,
  ),
  config: named("config", "FILE", "A run config, YAML or JSON (runledger schema config)"),
  ref: named("ref", "REF", "A branch, tag or commit"),
  provider,
  model,
  offline: Options.boolean("offline").pipe(
    Options.withDescription("Send nothing to a server; the run folder has it all"),
  ),
  resume: named("resume", "RUN_ID", "Take an ended or dead run up again, answering from its own evidence first"),
  runId: named("run-id", "RUN_ID", "The run's id instead of a made one"),
  runsDir,
  allowPartial: Options.boolean("allow-partial").pipe(Options.withDescription("Exit 0 when only some pages fell back")),
  json,
}

/** The flags of `launch` as its program takes them. */
export type LaunchOptions = Command.Command.ParseConfig<typeof options>

/** One pipeline run. */
export const launch = Command.make("launch", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./LaunchProgram.js")),
    ({ program }) => program(given),
  ),
)
