import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import { ExportFormat } from "../domain/ExportFormat.js"
import { local, runsDir } from "./ReadOptions.js"

const filter = (name: string, description: string) =>
  Options.text(name).pipe(Options.withDescription(description), Options.optional)

const instant = (name: string, description: string) =>
  Options.text(name).pipe(Options.withPseudoName("WHEN"), Options.withDescription(description), Options.optional)

const filters = {
  run_id: filter("run-id", "Exactly this run"),
  parent_run_id: filter("parent-run-id", "What this run started"),
  trace_id: filter("trace-id", "What is of this trace"),
  agent_name: filter("agent-name", "Exactly this agent"),
  job_type: filter("job-type", "launch, worker, llm_call, or a client's own"),
  status: filter("status", "running, success, failure, partial, timeout or cancelled"),
  product: filter("product", "Exactly this product"),
  model: filter("model", "Exactly this model"),
  created_after: instant("created-after", "Received after this instant"),
  created_before: instant("created-before", "Received before this instant"),
  start_time_from: instant("start-time-from", "Started then or later"),
  start_time_to: instant("start-time-to", "Started then or before"),
  since: instant("since", "Started then or later: 2026-01-31 (UTC), 2026-01-31T12:00:00Z, or 30d or 12h ago"),
}

const options = {
  format: Options.choice("format", ExportFormat.literals).pipe(
    Options.withDescription("ndjson when absent"),
    Options.withDefault("ndjson" satisfies ExportFormat),
  ),
  output: Options.text("output").pipe(
    Options.withAlias("o"),
    Options.withPseudoName("FILE"),
    Options.withDescription("Written whole or not at all; standard output when absent"),
    Options.optional,
  ),
  db: Options.text("db").pipe(
    Options.withPseudoName("DB"),
    Options.withDescription("Read this database; without it the server's, else the run folders"),
    Options.optional,
  ),
  local,
  runsDir,
  ...filters,
}

/** The flags of `export` as its program takes them. */
export type ExportOptions = Command.Command.ParseConfig<typeof options>

/** All matching runs as one file. */
export const exported = Command.make("export", options, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./ExportProgram.js")),
    ({ program }) => program(given),
  ),
)
