import { statfs } from "node:fs/promises"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Path from "@effect/platform/Path"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { PriceBook } from "../../services/PriceBook.js"
import { RunStore } from "../../services/RunStore.js"
import { DEFAULT_MODEL } from "../domain/RunConfig.js"
import { type Environment, runsDirOf, serverOf } from "./Environment.js"
import * as ServerProbe from "./ServerProbe.js"
import { type Platform, Wiring } from "./Wiring.js"

/** One thing that was looked at. A `fail` keeps Runledger from working; a `warn` does not. `mend` says what to do. */
export interface Finding {
  readonly check: string
  readonly result: "ok" | "warn" | "fail"
  readonly detail: string
  readonly mend: string | null
}

const ok = (check: string, detail: string): Finding => ({ check, result: "ok", detail, mend: null })
const warn = (check: string, detail: string, mend: string): Finding => ({ check, result: "warn", detail, mend })
const fail = (check: string, detail: string, mend: string): Finding => ({ check, result: "fail", detail, mend })

const MINIMUM_NODE = [20, 19] as const
const LOW_DISK_BYTES = 512 * 1024 * 1024
const SANE_SINCE_MS = Date.UTC(2025, 0, 1)
const SKEW_LIMIT_MS = 60_000

/** Node.js at `version` is new enough. */
export const node = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const enough = major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])
  return enough
    ? ok("node", version)
    : fail("node", `${version} is too old`, `Install Node.js ${MINIMUM_NODE.join(".")} or later.`)
}

const sqlite = Effect.gen(function* () {
  const wiring = yield* Wiring
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "runledger-doctor-" })
  const context = yield* Layer.build(wiring.store(path.join(folder, "doctor.sqlite")))
  const { info } = Context.get(context, RunStore)
  return ok("sqlite", `the native module works, journal_mode ${info.journalMode}, synchronous ${info.synchronous}`)
}).pipe(
  Effect.scoped,
  Effect.catchAllCause((cause) =>
    Effect.as(
      Effect.logDebug("SQLite", cause),
      fail(
        "sqlite",
        "the native module better-sqlite3 does not work",
        'Run "npm rebuild better-sqlite3"; it needs a C++ compiler and Python where no prebuilt binary can be had.',
      ),
    ),
  ),
)

const existingParent = (folder: string): Effect.Effect<string, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const there = yield* Effect.orElseSucceed(fs.exists(folder), () => false)
    const parent = path.dirname(folder)
    return there || parent === folder ? folder : yield* existingParent(parent)
  })

const writable = (runsDir: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const folder = path.resolve(runsDir)
    const place = yield* existingParent(folder)
    return yield* Effect.scoped(fs.makeTempFileScoped({ directory: place, prefix: ".runledger-doctor-" })).pipe(
      Effect.as(ok("runs folder", `${folder} can be written`)),
      Effect.orElseSucceed(() =>
        fail(
          "runs folder",
          `${place} cannot be written`,
          "Give yourself write permission there, or name another folder with RUNLEDGER_RUNS_DIR or --runs-dir.",
        ),
      ),
    )
  })

const disk = (runsDir: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const place = yield* existingParent(path.resolve(runsDir))
    const free = yield* Effect.option(
      Effect.map(
        Effect.tryPromise(() => statfs(place)),
        (info) => info.bavail * info.bsize,
      ),
    )
    return Option.match(free, {
      onNone: () => warn("disk", `the free space of ${place} is unknown`, "Look at it yourself."),
      onSome: (bytes) => {
        const said = `${(bytes / 1024 ** 3).toFixed(1)} GiB free at ${place}`
        return bytes < LOW_DISK_BYTES
          ? fail("disk", said, "Make room: a full disk stops the event log and the database.")
          : ok("disk", said)
      },
    })
  })

const api = (endpoint: string, probe: ServerProbe.Probe, version: string): Finding => {
  switch (probe.kind) {
    case "nobody":
      return warn(
        "server",
        `${endpoint}: ${probe.detail}`,
        'Start one with "runledger serve". Launches work without it.',
      )
    case "other":
      return fail(
        "server",
        `${endpoint} is not a Runledger server (${probe.detail})`,
        'Set TELEMETRY_API_URL to one, or start one elsewhere: "runledger serve --port 8766".',
      )
    case "runledger":
      return probe.version === version
        ? ok("server", `${endpoint}, version ${probe.version}, database ${probe.dbPath}`)
        : warn(
            "server",
            `${endpoint} is version ${probe.version}, this is ${version}`,
            "Use the same version on both sides.",
          )
  }
}

const clock = (probe: ServerProbe.Probe) =>
  Effect.map(Clock.currentTimeMillis, (now): Finding => {
    const mend = "Set this machine's clock, best by NTP: ids, prices and times of runs depend on it."
    if (now < SANE_SINCE_MS) return fail("clock", `it is ${new Date(now).toISOString()} here`, mend)
    const skew = probe.kind === "runledger" ? Option.getOrElse(probe.clockSkewMs, () => 0) : 0
    return Math.abs(skew) > SKEW_LIMIT_MS
      ? warn("clock", `${Math.round(skew / 1000)} s between this clock and the server's`, mend)
      : ok("clock", new Date(now).toISOString())
  })

const key = (env: Environment): Finding =>
  Option.isSome(env.anthropicApiKey)
    ? ok("key", "ANTHROPIC_API_KEY is set (never shown); launches ask Anthropic unless --provider says otherwise")
    : ok("key", "no ANTHROPIC_API_KEY: launches use the sandbox, which needs none and costs nothing")

const prices = (env: Environment) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const now = yield* Clock.currentTimeMillis
    return yield* Effect.map(PriceBook, (book) => book.unsafePriceOf("anthropic", DEFAULT_MODEL, now)).pipe(
      Effect.provide(wiring.prices(env.prices)),
      Effect.map(
        Option.match({
          onSome: (price) => ok("prices", `${DEFAULT_MODEL} is priced by ${price.priceId}`),
          onNone: () =>
            warn("prices", `${DEFAULT_MODEL} is unpriced`, "Give its rates in a price file named by RUNLEDGER_PRICES."),
        }),
      ),
      Effect.catchTag("CommandError", (error) =>
        Effect.succeed(fail("prices", error.message, "Mend the file that RUNLEDGER_PRICES names, or unset it.")),
      ),
    )
  })

/** Looks at everything that a launch and a server need. Never fails; changes nothing. */
export const examine = (
  env: Environment,
  versions: { readonly node: string; readonly runledger: string },
): Effect.Effect<ReadonlyArray<Finding>, never, Wiring | Platform | HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const runsDir = runsDirOf(Option.none(), env)
    const endpoint = serverOf(env)
    const probe = yield* ServerProbe.probe(endpoint)
    return [
      node(versions.node),
      yield* sqlite,
      yield* writable(runsDir),
      yield* disk(runsDir),
      api(endpoint, probe, versions.runledger),
      yield* clock(probe),
      key(env),
      yield* prices(env),
    ]
  })
