import { type ChildProcessByStdio, execFile, spawn } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as nodePath from "node:path"
import type { Readable } from "node:stream"
import { fileURLToPath } from "node:url"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"

export const root = nodePath.resolve(nodePath.dirname(fileURLToPath(import.meta.url)), "..", "..")
const bin = nodePath.join(root, "dist", "bin", "runledger.js")

const BUILD = `
  const { buildBin, isCurrent, sourceHash } = await import("./src/build.mjs")
  if (!isCurrent(sourceHash())) await buildBin()
`

/** Makes sure that the bundle is what the sources say. */
export const build = (): Promise<void> =>
  new Promise((resolve, reject) => {
    execFile(process.execPath, ["--input-type=module", "-e", BUILD], { cwd: root }, (error) =>
      error === null ? resolve() : reject(error),
    )
  })

/** The longest that anything is waited for. */
const BOUNDED = Duration.seconds(60)

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Options {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

/** Nothing of the caller's environment reaches the program but where programs are. */
const environment = ({ cwd, env = {} }: Options) => ({
  PATH: `${nodePath.dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
  HOME: cwd,
  TELEMETRY_API_URL: "http://127.0.0.1:9",
  ...env,
})

type Child = ChildProcessByStdio<null, Readable, Readable>

const spawned = (file: string, args: ReadonlyArray<string>, options: Options): Child =>
  spawn(file, [...args], { cwd: options.cwd, env: environment(options), stdio: ["ignore", "pipe", "pipe"] })

const finished = (child: Child) =>
  Effect.async<Ended>((resume) => {
    const out: Array<Buffer> = []
    const err: Array<Buffer> = []
    child.stdout.on("data", (bytes: Buffer) => out.push(bytes))
    child.stderr.on("data", (bytes: Buffer) => err.push(bytes))
    child.on("close", (code, signal) =>
      resume(
        Effect.succeed({
          code,
          signal,
          stdout: Buffer.concat(out).toString("utf8"),
          stderr: Buffer.concat(err).toString("utf8"),
        }),
      ),
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Runs a command line to its end. */
export const run = (args: ReadonlyArray<string>, options: Options): Effect.Effect<Ended> =>
  Effect.suspend(() => finished(spawned(process.execPath, [bin, ...args], options)))

/** Runs a line of bash, as a user types it. */
export const bash = (line: string, options: Options): Effect.Effect<Ended> =>
  Effect.suspend(() => finished(spawned("bash", ["-c", line], options)))

export interface Running {
  /** What the program has written so far. */
  readonly output: () => string
  /** The first match of a pattern in what it writes. */
  readonly says: (pattern: RegExp) => Effect.Effect<RegExpExecArray>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly ended: Effect.Effect<Ended>
}

/** Starts a command line; it is killed when the scope closes. */
export const start = (args: ReadonlyArray<string>, options: Options) =>
  Effect.gen(function* () {
    const child = spawned(process.execPath, [bin, ...args], options)
    yield* Effect.addFinalizer(() => Effect.sync(() => child.kill("SIGKILL")))
    let written = ""
    const end: Promise<Ended> = Effect.runPromise(finished(child))
    child.stdout.on("data", (bytes: Buffer) => (written += bytes.toString("utf8")))
    child.stderr.on("data", (bytes: Buffer) => (written += bytes.toString("utf8")))
    const says = (pattern: RegExp) =>
      Effect.suspend(() => {
        const match = pattern.exec(written)
        return match === null ? Effect.fail("not yet") : Effect.succeed(match)
      }).pipe(
        Effect.retry(Schedule.spaced("20 millis")),
        Effect.timeout(BOUNDED),
        Effect.orDieWith(() => new Error(`${pattern} is not in:\n${written}`)),
      )
    return {
      output: () => written,
      says,
      signal: (signal) => Effect.sync(() => void child.kill(signal)),
      ended: Effect.promise(() => end),
    } satisfies Running
  })

/** A server or sandbox of our own, with its address. */
export const listening = (args: ReadonlyArray<string>, options: Options) =>
  Effect.gen(function* () {
    const running = yield* start(args, options)
    const [url = ""] = yield* running.says(/http:\/\/[\w.[\]:]+:\d+/)
    return { ...running, url }
  })

const README = `# Widget Box

Widget Box is a small library that keeps widgets in boxes and counts them.

## Features

- It supports JSON and YAML files for reading widgets.
- It can export every box to CSV with one command.
- The API returns the number of widgets as an integer.
- Boxes are stored on disk in a single folder.
- The command line prints a table of all boxes.
- It does not support boxes larger than 2 GB.

## Installation

Install the package with npm install widget-box before the first use.

Run widget-box init to create the folder for boxes.

## Usage

Call openBox with a path to open a box for reading.

The function addWidget appends a widget to an open box.

Close the box with closeBox when all widgets are written.

\`\`\`js
import { openBox } from "widget-box"
const box = openBox("./boxes/first")
\`\`\`

## Limitations

Concurrent writers are not supported by the file format.
`

/** An empty folder to work in, and a small documented project in it. */
export const workplace = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const cwd = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-cli-" })
  const project = path.join(cwd, "widget-box")
  yield* fs.makeDirectory(project)
  yield* fs.writeFileString(path.join(project, "README.md"), README)
  yield* fs.writeFileString(
    path.join(project, "package.json"),
    JSON.stringify({ name: "widget-box", version: "1.0.0" }),
  )
  return { cwd, project, path: (...parts: ReadonlyArray<string>) => path.join(cwd, ...parts) }
})

export const LaunchResult = Schema.parseJson(
  Schema.Struct({
    run_id: Schema.String,
    run_dir: Schema.String,
    status: Schema.String,
    calls: Schema.Int,
    input_tokens: Schema.Int,
    output_tokens: Schema.Int,
    cost_usd: Schema.NullOr(Schema.Number),
    cost_status: Schema.String,
    duration_ms: Schema.Number,
    undelivered: Schema.Int,
  }),
)

/** The result that `launch --json` printed: the whole of stdout must be that one document. */
export const resultOf = (ended: Ended) =>
  Schema.decodeUnknown(LaunchResult, { onExcessProperty: "error" })(ended.stdout)

/** The events of a run folder. */
export const eventsOf = (runDir: string) =>
  Stream.runCollect(EventLogNdjson.readAll(`${runDir}/events.ndjson`)).pipe(Effect.map(Chunk.toReadonlyArray))

/** The pages of a run folder, by name. */
export const draftsOf = (runDir: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const names = (yield* fs.readDirectory(`${runDir}/drafts`, { recursive: true })).toSorted()
    const pages = names.filter((name) => name.endsWith(".md"))
    return yield* Effect.forEach(pages, (name) =>
      Effect.map(fs.readFileString(`${runDir}/drafts/${name}`), (text) => [name, text] as const),
    )
  })

/** Any JSON document. */
export const json = Schema.decodeUnknown(Schema.parseJson(Schema.Unknown))

/** A server that is not Runledger, or one that takes requests and never answers. */
export const stranger = (behaviour: "answers" | "hangs") =>
  Effect.acquireRelease(
    Effect.async<{ readonly port: number; readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((_request, response) => {
        if (behaviour === "answers") response.end("hello")
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        const close = () => {
          server.close()
          server.closeAllConnections()
        }
        resume(Effect.succeed({ port, url: `http://127.0.0.1:${port}`, close }))
      })
    }),
    ({ close }) => Effect.sync(close),
  )
