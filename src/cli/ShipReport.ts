import type { Drained } from "../../services/Backlog.js"
import { inert, type Style } from "./Ansi.js"
import * as Figures from "./Figures.js"

/** What all runs together come to. Events of runs that stay because they were recorded offline are counted apart. */
export interface Totals {
  readonly delivered: number
  readonly undelivered: number
  readonly offline: number
  readonly dead_letters: number
  readonly closed_spans: number
}

export const totalsOf = (drained: ReadonlyArray<Drained>): Totals => {
  const sum = (runs: ReadonlyArray<Drained>, count: (run: Drained) => number): number =>
    runs.reduce((total, run) => total + count(run), 0)
  const offline = drained.filter(({ skipped }) => skipped === "offline")
  const others = drained.filter(({ skipped }) => skipped !== "offline")
  return {
    delivered: sum(drained, (run) => run.delivered),
    undelivered: sum(others, (run) => run.undelivered),
    offline: sum(offline, (run) => run.undelivered),
    dead_letters: sum(drained, (run) => run.deadLetters),
    closed_spans: sum(drained, (run) => run.closedSpans),
  }
}

/** What nobody delivers: a live owner delivers its own run, and an offline run was not asked for. */
export const hasFailed = ({ skipped, undelivered }: Drained): boolean =>
  skipped === "unusable" || ((skipped === null || skipped === "unknown") && undelivered > 0)

const events = (count: number): string => Figures.plural(count, "event")

const standing = (style: Style, run: Drained): string => {
  switch (run.skipped) {
    case "owned":
      return `${style.dim("left")}  ${events(run.undelivered)}: ${inert(run.lastError ?? "its process still runs")}`
    case "unknown":
      return `${style.yellow("left")}  ${events(run.undelivered)}: ${inert(run.lastError ?? "its owner may be alive")}`
    case "offline":
      return `${style.dim("left")}  ${events(run.undelivered)}: recorded offline`
    case "unusable":
      return `${style.red("left")}  ${inert(run.lastError ?? "its log cannot be used")}`
    case null: {
      if (run.undelivered > 0) {
        const some = run.delivered > 0 ? `${events(run.delivered)} delivered, ` : ""
        return `${style.red("left")}  ${some}${events(run.undelivered)} undelivered: ${inert(run.lastError ?? "the server took nothing")}`
      }
      return `${style.green("done")}  ${run.delivered > 0 ? `${events(run.delivered)} delivered` : "nothing was left to deliver"}`
    }
  }
}

/** What became of one run, for a person. */
export const line = (style: Style, run: Drained): string => {
  const more = [
    ...(run.closedSpans > 0 ? [`${Figures.plural(run.closedSpans, "span")} of a dead process closed`] : []),
    ...(run.deadLetters > 0
      ? [
          style.yellow(
            `${Figures.plural(run.deadLetters, "operation")} refused for good, kept in telemetry.dead-letters.ndjson`,
          ),
        ]
      : []),
  ]
  return [`${style.bold(inert(run.runId))}  ${standing(style, run)}`, ...more].join("; ")
}

/** Where from and where to. */
export interface Way {
  readonly runsDir: string
  readonly endpoint: string
}

const counts = (style: Style, { delivered, undelivered }: Totals, { endpoint }: Way): string => {
  const left = undelivered > 0 ? style.red(`${events(undelivered)} undelivered`) : "none undelivered"
  return `${events(delivered)} delivered to ${endpoint}, ${left}.`
}

const offlineNote = ({ offline }: Totals): string =>
  offline > 0 ? `\n${events(offline)} of runs recorded offline stay here; --include-offline delivers them.` : ""

const diedNote = ({ closed_spans }: Totals, { runsDir }: Way): string =>
  closed_spans > 0
    ? `\nA launch that died goes on, without paying again for the answers it has, with: runledger launch --runs-dir ${inert(runsDir)} --resume RUN_ID`
    : ""

/** The last word of a drain that came to its end. */
export const closing = (style: Style, totals: Totals, way: Way): string => {
  const isNothing = totals.delivered === 0 && totals.undelivered === 0
  const said = isNothing
    ? `Nothing to deliver to ${way.endpoint} from ${inert(way.runsDir)}.`
    : counts(style, totals, way)
  return `${said}${offlineNote(totals)}${diedNote(totals, way)}`
}

/** The last word about a folder without a run. */
export const noRuns = ({ runsDir }: Way): string =>
  `There is no run in ${inert(runsDir)}: none of its folders has an events.ndjson. Another runs folder goes as runledger ship RUNS_DIR, or into RUNLEDGER_RUNS_DIR.`

/** The last word of a drain that was interrupted, and how to go on. */
export const interrupted = (style: Style, totals: Totals, way: Way, again: string): string =>
  `Interrupted. ${counts(style, totals, way)} Nothing is lost: what is left stands in the run folders.\nTo go on: ${inert(again)}`

/** What became of one run, as `--json` prints it. */
export const wire = (run: Drained) => ({
  run_id: run.runId,
  run_dir: run.directory,
  delivered: run.delivered,
  undelivered: run.undelivered,
  dead_letters: run.deadLetters,
  closed_spans: run.closedSpans,
  skipped: run.skipped,
  last_error: run.lastError,
})
