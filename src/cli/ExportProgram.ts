import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { RunReader } from "../../services/RunReader.js"
import { RunStore } from "../../services/RunStore.js"
import { shown } from "../domain/Endpoint.js"
import type { RunFilter } from "../domain/Run.js"
import * as Timestamp from "../domain/Timestamp.js"
import * as Export from "../server/Export.js"
import * as RunQuery from "../server/RunQuery.js"
import { type CommandError, failure, usage } from "./CommandError.js"
import * as Environment from "./Environment.js"
import type { ExportOptions } from "./ExportCommand.js"
import * as Figures from "./Figures.js"
import * as Moment from "./Moment.js"
import * as RowsWritten from "./RowsWritten.js"
import * as ServerProbe from "./ServerProbe.js"
import { Wiring } from "./Wiring.js"

const NAMES = [
  "run_id",
  "parent_run_id",
  "trace_id",
  "agent_name",
  "job_type",
  "status",
  "product",
  "model",
  "created_after",
  "created_before",
  "start_time_from",
  "start_time_to",
] as const

type Query = { readonly [Name in (typeof NAMES)[number]]?: string }

type Name = (typeof NAMES)[number]

const isTime = (name: Name): boolean => name.startsWith("created_") || name.startsWith("start_")

/** The flag under which a member of the query was given. */
const flagOf = (name: Name, options: ExportOptions): string =>
  name === "start_time_from" && Option.isNone(options.start_time_from) ? "--since" : `--${name.replaceAll("_", "-")}`

/** The flags as the query of the API; `--since` is the shorter word for one of them. */
const queryOf = (options: ExportOptions): Effect.Effect<Query, CommandError> =>
  Effect.map(
    Effect.forEach(NAMES, (name) => {
      const given =
        name === "start_time_from" ? Option.orElse(options.start_time_from, () => options.since) : options[name]
      if (Option.isNone(given)) return Effect.succeed([])
      if (!isTime(name)) return Effect.succeed([[name, given.value] as const])
      return Effect.map(Moment.parse(flagOf(name, options), given.value), (millis) => [
        [name, Timestamp.fromMillis(millis)] as const,
      ])
    }),
    (all): Query => Object.fromEntries(all.flat()),
  )

const filterOf = (query: Query): Effect.Effect<RunFilter, CommandError> =>
  Effect.mapError(RunQuery.filter(query), ({ detail }) => usage(`${detail.replaceAll("_", "-")}.`))

/** The bytes as a server makes them. A connection that breaks is an error, never a shorter file. */
const fromServer = (options: ExportOptions, query: Query, env: Environment.Environment) =>
  Effect.gen(function* () {
    const endpoint = Environment.serverOf(env).replace(/\/+$/, "")
    const client = yield* HttpClient.HttpClient
    const search = new URLSearchParams({ ...query, format: options.format }).toString()
    const plain = HttpClientRequest.get(`${endpoint}/api/v1/export?${search}`)
    const request = Option.match(env.telemetryToken, {
      onNone: () => plain,
      onSome: (token) => HttpClientRequest.bearerToken(plain, Redacted.value(token)),
    })
    const broken = (cause: unknown) =>
      failure(`The server at ${shown(endpoint)} broke off; what it sent is not all. Try again.`, cause)
    const response = yield* Effect.mapError(client.execute(request), broken)
    if (response.status === 404) {
      return yield* failure(`The server at ${shown(endpoint)} cannot export: it is of an older version.`)
    }
    if (response.status !== 200) {
      const text = yield* Effect.orElseSucceed(response.text, () => "")
      return yield* failure(`The server at ${shown(endpoint)} answered ${response.status}: ${text.slice(0, 300)}`)
    }
    return Stream.mapError(response.stream, broken)
  })

/** The bytes of a database, or of run folders, that this process reads itself. */
const bytesOf = (options: ExportOptions, query: Query, env: Environment.Environment) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const filter = yield* filterOf(query)
    const failed = (error: { readonly message: string }) => failure(error.message, error)
    if (Option.isSome(options.db)) {
      const fs = yield* FileSystem.FileSystem
      const file = options.db.value
      if (!(yield* Effect.orElseSucceed(fs.exists(file), () => false))) return yield* usage(`There is no ${file}.`)
      yield* Effect.mapError(wiring.serverLock(file), failed)
      const { stream } = yield* Effect.mapError(
        Effect.flatMap(Layer.build(wiring.store(file)), (context) => Effect.provide(RunStore, context)),
        failed,
      )
      return Stream.mapError(Export.encode(options.format, stream(filter)), failed)
    }
    const probe = options.local ? undefined : yield* ServerProbe.probe(Environment.serverOf(env))
    if (probe?.kind === "runledger") return yield* fromServer(options, query, env)
    const folder = Environment.runsDirOf(options.runsDir, env)
    if (probe !== undefined) {
      yield* Effect.logInfo(
        `No Runledger server at ${shown(Environment.serverOf(env))} (${probe.detail}); reading the run folders in ${folder} instead.`,
      )
    }
    const reader = yield* Effect.flatMap(Layer.build(wiring.folderReader(folder)), (context) =>
      Effect.provide(RunReader, context),
    )
    return Stream.mapError(Export.encode(options.format, reader.stream(filter)), failed)
  })

/** Into a file that gets its name when it is whole, or to standard output as it comes. */
const written = (bytes: Stream.Stream<Uint8Array, CommandError>, output: Option.Option<string>) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    if (Option.isNone(output)) return yield* Stream.runForEach(bytes, wiring.writeOut)
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.resolve(output.value)
    const cannot = (cause: unknown) =>
      failure(`${output.value} cannot be written. Check the folder, its permissions and the disk.`, cause)
    const folder = yield* Effect.mapError(
      fs.makeTempDirectoryScoped({ directory: path.dirname(file), prefix: ".runledger-export-" }),
      cannot,
    )
    const temporary = path.join(folder, "whole")
    yield* Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* Effect.mapError(fs.open(temporary, { flag: "wx", mode: 0o600 }), cannot)
        yield* Stream.runForEach(bytes, (some) => Effect.mapError(handle.writeAll(some), cannot))
        yield* Effect.mapError(handle.sync, cannot)
      }),
    )
    yield* Effect.mapError(fs.rename(temporary, file), cannot)
  })

/** `export`: every matching row once, newest first, without holding them all. */
export const program = (options: ExportOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const env = yield* Environment.load
      const query = yield* queryOf(options)
      yield* filterOf(query)
      const bytes = yield* bytesOf(options, query, env)
      if (Option.isNone(options.output)) return yield* written(bytes, options.output)
      const { counted, rows } = RowsWritten.of(options.format)
      yield* written(counted(bytes), options.output)
      const amount = rows()
      yield* Effect.logInfo(
        `${amount === undefined ? "All rows" : Figures.plural(amount, "row")} written to ${options.output.value}.`,
      )
    }),
  )
