import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as Schema from "effect/Schema"
import type { Delivery } from "../../services/Telemetry.js"

/** How the program of CallingMain is set up. */
export const Options = Schema.Struct({
  runsDir: Schema.String,
  runId: Schema.String,
  /** Null: offline. */
  endpoint: Schema.NullOr(Schema.String),
  requestTimeoutMillis: Schema.Int,
  flushMillis: Schema.Int,
  evidence: Schema.Boolean,
  calls: Schema.Int,
  /** After so many calls it sleeps so long, as a program does that waits for a model. */
  pauseEvery: Schema.Int,
  pauseMillis: Schema.Int,
  /** Where it writes what it has to say. */
  said: Schema.String,
  /** The file that moves its wall clock, and during which calls it does so. */
  clockFile: Schema.NullOr(Schema.String),
  moves: Schema.Array(Schema.Struct({ at: Schema.Int, by: Schema.Literal("+0d", "-2d", "+1y") })),
  /** A file that takes the room on the disk, and during which call it goes away. */
  ballast: Schema.NullOr(Schema.String),
  roomAt: Schema.Int,
})
export type Options = typeof Options.Type

export interface Said {
  /** How long each call took its caller, in order. */
  readonly millis: ReadonlyArray<number>
  /** A hash of all that the calls returned. */
  readonly answers: string
  readonly delivery: Delivery
}

export const defaults: Omit<Options, "runsDir" | "runId" | "said"> = {
  endpoint: null,
  requestTimeoutMillis: 5000,
  flushMillis: 3000,
  evidence: true,
  calls: 100,
  pauseEvery: 10,
  pauseMillis: 1,
  clockFile: null,
  moves: [],
  ballast: null,
  roomAt: -1,
}

/** Runs CallingMain as `node …program options` to its end; what it says, and what it logged. */
export const run = async (
  program: ReadonlyArray<string>,
  options: Options,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Said & { readonly logged: string }> => {
  const child = spawn(process.execPath, [...program, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe"],
    env: environment,
  })
  let logged = ""
  child.stdout.on("data", (bytes: Buffer) => (logged += bytes.toString("utf8")))
  child.stderr.on("data", (bytes: Buffer) => (logged += bytes.toString("utf8")))
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve))
  if (code !== 0) throw new Error(`the program ended with ${code} and said: ${logged}`)
  return { ...JSON.parse(fs.readFileSync(options.said, "utf8")), logged }
}
