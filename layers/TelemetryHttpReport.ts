import * as fs from "node:fs/promises"
import * as nodePath from "node:path"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { Delivery } from "../services/Telemetry.js"
import * as PlainLine from "../src/domain/PlainLine.js"
import * as Redaction from "../src/domain/Redaction.js"
import * as Timestamp from "../src/domain/Timestamp.js"
import * as DeadLetterFile from "./DeadLetterFile.js"
import * as EventLogNdjson from "./EventLogNdjson.js"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"

/** The file in a run's folder that says what the server does not have, and what to do. */
export const FILE = nodePath.join("reports", "telemetry_unavailable.md")

/** How delivery stood when the layer closed. */
export interface Leaving {
  /** The run's folder; without one there is nowhere to write. */
  readonly directory: Option.Option<string>
  readonly runId: string
  readonly delivery: Delivery
  /** Of this process and those before it. */
  readonly deadLetters: number
  /** Whether an event log keeps what is undelivered. */
  readonly isLogged: boolean
  /** Never written: looked for in what others said. */
  readonly token: Option.Option<Redacted.Redacted<string>>
}

const whereabouts = (folder: string, isLogged: boolean): string =>
  isLogged
    ? `Nothing is lost: the events stand in \`${nodePath.join(folder, EventLogNdjson.FILE)}\`, and are sent from there.`
    : "The run had no event log: what was not delivered was in memory only, and is lost."

const steps = (folder: string, endpoint: string, isLogged: boolean): ReadonlyArray<string> => [
  "`runledger doctor` says what is wrong with this set-up.",
  `Is the server up? \`runledger serve\` starts one; this run was sent to ${endpoint} (\`TELEMETRY_API_URL\`).`,
  "Does the server want a token? It goes into `TELEMETRY_API_TOKEN`.",
  ...(isLogged
    ? [
        `\`runledger ship ${nodePath.dirname(folder)}\` delivers what is left. The next launch in that folder does so too.`,
        "This file goes away when everything is delivered.",
      ]
    : []),
]

const text = (folder: string, writtenAt: string, leaving: Leaving): string => {
  const { delivery, deadLetters, isLogged, runId } = leaving
  const secrets = Option.match(leaving.token, { onNone: () => [], onSome: (token) => [Redacted.value(token)] })
  const { redactText } = Redaction.make(secrets)
  const endpoint = delivery.endpoint ?? "nowhere"
  const facts: ReadonlyArray<readonly [string, string]> = [
    ["Run", runId],
    ["Written", writtenAt],
    ["Server", endpoint],
    ["Undelivered events", String(delivery.undelivered)],
    ["Oldest of them", delivery.oldestUndeliveredAt ?? "unknown"],
    ["Delivered by this process", String(delivery.delivered)],
    ["Dropped (memory full)", String(delivery.dropped)],
    ["Dead letters", deadLetters === 0 ? "0" : `${deadLetters}, in \`${nodePath.join(folder, DeadLetterFile.FILE)}\``],
    ["Failed attempts since the last success", String(delivery.failedAttempts)],
    ["Last success", delivery.lastSuccessAt ?? "none in this process"],
    ["Last error", delivery.lastError ?? "none; time ran out"],
  ]
  const rows = facts.map(([name, value]) => `| ${name} | ${redactText(PlainLine.of(value)).replaceAll("|", "\\|")} |`)
  return [
    "# Telemetry was not delivered",
    "",
    PlainLine.of(whereabouts(folder, isLogged)),
    "",
    "| | |",
    "|---|---|",
    ...rows,
    "",
    "## What to try",
    "",
    ...steps(folder, endpoint, isLogged).map((step, index) => `${index + 1}. ${PlainLine.of(step)}`),
    "",
  ].join("\n")
}

const write = (folder: string, leaving: Leaving): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMillis) => {
    const path = nodePath.join(folder, FILE)
    return Effect.tryPromise({
      try: async () => {
        PrivateFile.folder(nodePath.dirname(path), 0o777)
        await PrivateFile.replace(path, text(folder, Timestamp.fromMillis(nowMillis), leaving), "process")
      },
      catch: (cause) => FileProblem.explain("write", path, cause),
    }).pipe(Effect.catchAll((problem) => Effect.logWarning(`Telemetry: ${problem}.`)))
  })

/** Behind a link there is nothing of ours. */
const isOwnFolder = async (path: string): Promise<boolean> => {
  try {
    return (await fs.lstat(path)).isDirectory()
  } catch (cause) {
    if (FileProblem.code(cause) === "ENOENT") return false
    throw cause
  }
}

const remove = (folder: string): Effect.Effect<void> => {
  const path = nodePath.join(folder, FILE)
  return Effect.tryPromise({
    try: async () => {
      if (await isOwnFolder(nodePath.dirname(path))) await fs.rm(path, { force: true })
    },
    catch: (cause) => FileProblem.explain("remove", path, cause),
  }).pipe(Effect.catchAll((problem) => Effect.logWarning(`Telemetry: ${problem}.`)))
}

/** Leaves word of undelivered events in the run's folder, or removes an earlier one when there are none. What goes wrong is a warning. */
export const leave = (leaving: Leaving): Effect.Effect<void> =>
  Option.match(leaving.directory, {
    onNone: () => Effect.void,
    onSome: (folder) => (leaving.delivery.undelivered > 0 ? write(folder, leaving) : remove(folder)),
  })

/** Says in one line how delivery ended, and one line each of what was warned of more than once. */
export const summary = (
  { delivered, dropped, endpoint, rejected, undelivered }: Delivery,
  isLogged: boolean,
  repeats: ReadonlyArray<{ readonly cause: string; readonly times: number }>,
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const counts = `${delivered} events delivered to ${endpoint}, ${undelivered} undelivered, ${dropped} dropped, ${rejected} refused`
    const lost = dropped > 0 || (undelivered > 0 && !isLogged)
    const kept = undelivered > 0 && isLogged ? "; what is undelivered is kept in the run's event log" : ""
    const line = `Telemetry: ${counts}${kept}.`
    if (lost) yield* Effect.logWarning(line)
    else if (undelivered > 0 || rejected > 0) yield* Effect.logInfo(line)
    else yield* Effect.logDebug(line)
    for (const { cause, times } of repeats) yield* Effect.logInfo(`Telemetry: ${times} times more: ${cause}`)
  })

/** Where events are while the server does not take them. */
export const waiting = (durable: boolean): string =>
  durable
    ? "events wait in the run's event log and are sent when it answers"
    : "events wait in memory, in bounded number"

/** Said once, when events are lost for want of room. */
export const overflow = (endpoint: string): string =>
  `the queue in memory is full; new events are dropped and counted until ${endpoint} answers.`

/** A logger that breaks must not stop the delivery. */
export const quietly = (effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchAllDefect(effect, () => Effect.void)

/** Said when the cursor stays behind. */
export const NOT_WRITTEN_DOWN = "how far the server has acknowledged could not be written; it will be sent again."
