import type { Acknowledged } from "../domain/Acknowledged.js"
import type { LogAudit, LogSurroundings } from "../domain/LogAudit.js"
import * as Received from "../domain/Received.js"
import { inert, type Style } from "./Ansi.js"
import * as Figures from "./Figures.js"

/** Everything that `verify` found of one log. */
export interface Verified {
  readonly file: string
  readonly audit: LogAudit
  readonly surroundings: LogSurroundings
  readonly acknowledged: ReadonlyArray<Acknowledged>
  /** What came out of the server's events, one by one; null when they were not compared. */
  readonly received: Received.Received | null
  /** Calls that were repriced on the server since. */
  readonly repriced: number
  /** What the log was not compared with, and why. */
  readonly notCompared: ReadonlyArray<string>
}

const WHO = { cursor: "telemetry.cursor", server: "server" } as const

/** What does not hold, in words: of the chain by line, then what was acknowledged and is not there. */
export const problems = ({ audit, acknowledged }: Verified): ReadonlyArray<string> => [
  ...audit.problems.map(({ line, problem }) => `line ${line}: ${problem}`),
  ...acknowledged.flatMap(({ source, problem }) => (problem === null ? [] : [`${WHO[source]}: ${problem}`])),
]

/** How many events the log says were lost. */
const lostOf = ({ audit }: Verified): number => audit.gaps.reduce((sum, { dropped }) => sum + dropped, 0)

/** The document that `--json` prints. */
export const document = (verified: Verified) => {
  const { file, audit, surroundings, acknowledged, received, notCompared } = verified
  return {
    file,
    intact: problems(verified).length === 0,
    lines: audit.lines,
    head: audit.head,
    problems: audit.problems,
    acknowledged,
    compared_events: received?.events ?? null,
    not_compared: notCompared,
    repriced_calls: verified.repriced,
    dead_letters: surroundings.deadLetters.count,
    lost_events: lostOf(verified),
    gaps: audit.gaps,
  }
}

/** A hash stands for all lines before it only where the chain holds up to there. */
const agreed = ({ source, line, hash }: Acknowledged, audit: LogAudit): string => {
  if (line === 0) return `${WHO[source]}: nothing was acknowledged yet`
  const isBroken = audit.problems.some((problem) => line === null || problem.line <= line)
  return isBroken
    ? `${WHO[source]}: line ${line} bears the hash that was acknowledged last (${hash}), which proves nothing here: the chain up to it is broken`
    : `${WHO[source]}: what was acknowledged stands, up to line ${line} (${hash})`
}

const notes = (verified: Verified): ReadonlyArray<string> => {
  const { surroundings, notCompared, audit, repriced } = verified
  const { file, count } = surroundings.deadLetters
  const lost = lostOf(verified)
  const reasons = [...new Set(audit.gaps.map(({ reason }) => inert(reason)))].join("; ")
  return [
    ...notCompared.map((why) => `not compared with ${why}`),
    ...(count > 0
      ? [`${Figures.plural(count, "dead letter")}: refused by the server for good, kept with the reasons in ${file}`]
      : []),
    ...(repriced > 0
      ? [
          `${Figures.plural(repriced, "call")} ${repriced === 1 ? "was" : "were"} repriced on the server since: the log keeps what was known of the cost then (runledger reprice --history)`,
        ]
      : []),
    ...(lost > 0 ? [`${Figures.plural(lost, "event")} could not be recorded: ${reasons}`] : []),
  ]
}

/** What was found, for a person. */
export const render = (style: Style, verified: Verified): string => {
  const { file, audit, acknowledged } = verified
  const wrong = problems(verified)
  return [
    ...wrong.map((problem) => style.red(inert(problem))),
    ...(wrong.length === 0
      ? [`${style.green("intact")}: ${Figures.plural(audit.lines, "line")} of ${inert(file)}, head ${audit.head}`]
      : []),
    ...acknowledged.filter(({ problem }) => problem === null).map((one) => inert(agreed(one, audit))),
    ...notes(verified).map((note) => style.dim(inert(note))),
  ].join("\n")
}

/** A line was rewritten, or the server has another log in its place. */
const isReplaced = ({ rewritten, hasOtherLog, knowsThisLog }: Received.Received): boolean =>
  rewritten !== null || (hasOtherLog && !knowsThisLog)

/** The last word about a log that does not hold. */
export const verdict = (verified: Verified): string => {
  const { file, audit, acknowledged, received } = verified
  const wrong = problems(verified).length
  const refuted = acknowledged.filter(({ problem }) => problem !== null)
  const first = audit.problems[0]?.line
  const rewritten = refuted.some(
    ({ source, lines }) => audit.lines >= lines || (source === "server" && received !== null && isReplaced(received)),
  )
  const isOnlyMixed = received !== null && Received.isOnlyMixed(received)
  const isElsewhere = isOnlyMixed && audit.problems.length === 0 && refuted.every(({ source }) => source === "server")
  const trusted = isElsewhere
    ? "Its own lines stand as the server received them."
    : rewritten
      ? "None of it can be trusted without another copy."
      : `What stands before line ${first ?? audit.lines + 1} can be trusted.`
  return `${file} does not verify: ${Figures.plural(wrong, "problem")} in ${Figures.plural(audit.lines, "line")}. ${trusted}`
}
