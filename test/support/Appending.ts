import { type ChildProcess, spawn } from "node:child_process"
import * as Schema from "effect/Schema"
import type { Delivery } from "../../services/Telemetry.js"

/** How the program of AppendingMain is set up. */
export const Options = Schema.Struct({
  runsDir: Schema.String,
  runId: Schema.String,
  durability: Schema.Literal("process", "power"),
  /** Null: offline. */
  endpoint: Schema.NullOr(Schema.String),
  /** A file that gets the id of each event whose append has returned, before anything else happens. */
  report: Schema.NullOr(Schema.String),
  events: Schema.Literal("calls", "anything"),
  /** About so many characters are added to an event that can bear them. */
  size: Schema.NonNegativeInt,
  fibers: Schema.Int.pipe(Schema.positive()),
  seed: Schema.Int,
  /** Which event the server refuses for good, a whole request for its size or one row for its date; null: none. */
  poison: Schema.NullOr(Schema.Struct({ at: Schema.Int, how: Schema.Literal("too large", "misdated") })),
})
export type Options = typeof Options.Type

/** What such a program may be told. */
export type Command =
  | { readonly do: "record"; readonly events: number }
  | { readonly do: "flush"; readonly millis: number }
  | { readonly do: "end" }

/** What it says when it has done so. Memory in bytes; `peakRss` since it was told. */
export interface Done {
  readonly millis: number
  readonly rss: number
  readonly peakRss: number
  readonly appended: number
  /** Why appending ended early; null when it did not. */
  readonly failed: string | null
  readonly delivery: Delivery
}

/** A running program. */
export interface Appending {
  readonly child: ChildProcess
  /** Rejects when the program ends before it has done it. */
  readonly tell: (command: Exclude<Command, { readonly do: "end" }>) => Promise<Done>
  /** Tells it and does not wait. */
  readonly send: (command: Command) => void
  readonly ended: Promise<void>
  /** What it wrote, for a message. */
  readonly said: () => string
}

/** Starts AppendingMain as `node …program options` and waits until it is ready. */
export const start = async (
  program: ReadonlyArray<string>,
  options: Options,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Appending> => {
  const child = spawn(process.execPath, [...program, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: environment,
  })
  let said = ""
  child.stdout?.on("data", (bytes: Buffer) => (said += bytes.toString("utf8")))
  child.stderr?.on("data", (bytes: Buffer) => (said += bytes.toString("utf8")))
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()))
  const answer = () =>
    new Promise<unknown>((resolve, reject) => {
      child.once("message", resolve)
      void ended.then(() => reject(new Error(`the program ended too soon and said: ${said}`)))
    })
  await answer()
  return {
    child,
    tell: async (command) => {
      const told = answer()
      child.send(command)
      return (await told) as Done
    },
    send: (command) => void child.send(command),
    ended,
    said: () => said,
  }
}

export const defaults: Omit<Options, "runsDir" | "runId"> = {
  durability: "process",
  endpoint: null,
  report: null,
  events: "anything",
  size: 100,
  fibers: 1,
  seed: 1,
  poison: null,
}
