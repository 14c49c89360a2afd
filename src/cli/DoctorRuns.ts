import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Backlog, type RunBacklog } from "../../services/Backlog.js"
import { inert } from "./Ansi.js"
import { type Finding, ok, warn } from "./DoctorFinding.js"
import { type Environment, serverOf } from "./Environment.js"
import * as Figures from "./Figures.js"
import { Wiring } from "./Wiring.js"

/** One run as the doctor sees it. */
export interface Patient extends RunBacklog {
  /** When its last event was recorded. */
  readonly lastAt: string | null
  readonly deadLetterFile: string
  /** Why events were lost. */
  readonly lostBecause: ReadonlyArray<string>
}

const MOST_NAMED = 3

const named = (runs: ReadonlyArray<RunBacklog>): string => {
  const names = runs.slice(0, MOST_NAMED).map(({ runId }) => inert(runId))
  return `${names.join(", ")}${runs.length > MOST_NAMED ? ` and ${runs.length - MOST_NAMED} more` : ""}`
}

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)
const runsIn = (runs: ReadonlyArray<RunBacklog>): string => Figures.plural(runs.length, "run")
const undelivered = (runs: ReadonlyArray<RunBacklog>): number => sum(runs.map((run) => run.undelivered ?? 0))

const earliest = (runs: ReadonlyArray<RunBacklog>): string | undefined =>
  runs.flatMap(({ oldestAt }) => oldestAt ?? []).toSorted()[0]

/** What ended or dead processes left undelivered, and what live ones are delivering. */
const backlog = (patients: ReadonlyArray<Patient>, ship: string): Finding => {
  const behind = patients.filter((run) => !run.offline && run.owner === null && (run.undelivered ?? 0) > 0)
  const live = patients.filter((run) => run.owner !== null)
  const going = live.length === 0 ? "" : `; ${runsIn(live)} going on now`
  if (behind.length === 0) return ok("backlog", `nothing of ${runsIn(patients)} waits to be delivered${going}`)
  const oldest = earliest(behind)
  const since = oldest === undefined ? "" : `, the oldest of ${Figures.instant(oldest)}`
  return warn(
    "backlog",
    `${Figures.plural(undelivered(behind), "event")} not delivered in ${runsIn(behind)} (${named(behind)})${since}${going}`,
    `With a server running: ${ship}`,
  )
}

const offline = (patients: ReadonlyArray<Patient>, ship: string): ReadonlyArray<Finding> => {
  const held = patients.filter((run) => run.offline && (run.undelivered ?? 0) > 0)
  if (held.length === 0) return []
  const what = `${runsIn(held)} with ${Figures.plural(undelivered(held), "event")} recorded offline`
  return [ok("offline runs", `${what} stay here (${named(held)}); "${ship} --include-offline" sends them`)]
}

const deadLetters = (patients: ReadonlyArray<Patient>): Finding => {
  const refused = patients.filter((run) => run.deadLetters > 0)
  if (refused.length === 0) return ok("dead letters", "none")
  const files = refused.slice(0, MOST_NAMED).map(({ deadLetterFile }) => deadLetterFile)
  const more = refused.length > MOST_NAMED ? ` and ${refused.length - MOST_NAMED} more` : ""
  return warn(
    "dead letters",
    `${Figures.plural(sum(refused.map((run) => run.deadLetters)), "operation")} refused by the server for good, in ${files.join(", ")}${more}`,
    "Each line gives the reason; most often client and server are of different versions. The events themselves stand in the runs' logs. Remove the file once you have dealt with it.",
  )
}

const gaps = (patients: ReadonlyArray<Patient>): Finding => {
  const lossy = patients.filter((run) => run.lost > 0)
  if (lossy.length === 0) return ok("gaps", "no log tells of lost events")
  const why = [...new Set(lossy.flatMap((run) => run.lostBecause))].map(inert).join("; ")
  return warn(
    "gaps",
    `${Figures.plural(sum(lossy.map((run) => run.lost)), "event")} lost in ${runsIn(lossy)} (${named(lossy)})${why === "" ? "" : `: ${why}`}`,
    "What was lost cannot be had back; the programs' own results are not touched. Make room or give permission, as the reason says.",
  )
}

const misfits = (patients: ReadonlyArray<Patient>): Finding => {
  const odd = patients.flatMap((run) => (run.problem === null ? [] : [`${inert(run.runId)}: ${inert(run.problem)}`]))
  const first = patients.find((run) => run.problem !== null)
  return first === undefined
    ? ok("logs", `the cursors of ${runsIn(patients)} fit their logs`)
    : warn(
        "logs",
        `${odd.slice(0, MOST_NAMED).join("; ")}${odd.length > MOST_NAMED ? ` and ${odd.length - MOST_NAMED} more` : ""}`,
        `See what is wrong with it: runledger verify ${inert(first.directory)}`,
      )
}

const openSpans = (patients: ReadonlyArray<Patient>, ship: string): Finding => {
  const dead = patients.filter((run) => run.owner === null && run.openSpans > 0)
  if (dead.length === 0) return ok("open spans", "no dead process left any")
  const local = dead.some((run) => run.offline) ? `; for those recorded offline: ${ship} --include-offline` : ""
  return warn(
    "open spans",
    `${Figures.plural(sum(dead.map((run) => run.openSpans)), "span")} left open by dead processes in ${runsIn(dead)} (${named(dead)})`,
    `They are closed as failed (ProcessDied) by: ${ship}${local}. A launch among them goes on with: runledger launch --resume RUN_ID`,
  )
}

const examined = (run: RunBacklog) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const path = yield* Path.Path
    const file = path.join(run.directory, "events.ndjson")
    const around = yield* Effect.option(wiring.surroundings(file))
    const lost = run.lost > 0 ? yield* Effect.option(wiring.audit(file, [])) : Option.none()
    return {
      ...run,
      lastAt: Option.getOrNull(Option.flatMapNullable(around, ({ lastAt }) => lastAt)),
      deadLetterFile: Option.match(around, { onNone: () => run.directory, onSome: (found) => found.deadLetters.file }),
      lostBecause: Option.match(lost, { onNone: () => [], onSome: ({ gaps }) => gaps.map(({ reason }) => reason) }),
    } satisfies Patient
  })

/** Every run of the runs folder, oldest first. */
export const patients = (env: Environment, runsDir: string) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const layer = wiring.backlog({ runsDir, endpoint: serverOf(env), token: env.telemetryToken })
    const runs = yield* Effect.provide(
      Effect.flatMap(Backlog, ({ survey }) => survey),
      layer,
    )
    return yield* Effect.forEach(runs, examined)
  })

/** When the newest event of all was recorded. */
export const newestAt = (all: ReadonlyArray<Patient>): Option.Option<string> =>
  Option.fromNullable(
    all
      .flatMap(({ lastAt }) => lastAt ?? [])
      .toSorted()
      .at(-1),
  )

/** What is behind, lost, refused or left open in the runs folder. `ship` is the command that delivers from it. */
export const findings = (all: ReadonlyArray<Patient>, ship: string): ReadonlyArray<Finding> => [
  backlog(all, ship),
  ...offline(all, ship),
  openSpans(all, ship),
  deadLetters(all),
  gaps(all),
  misfits(all),
]
