/** What a server once took of a log: how many lines or events of it, and the hash of the last. Source says who tells. */
export interface AcknowledgedHead {
  readonly source: "cursor" | "server"
  readonly lines: number
  readonly hash: string
}

/** A log, as far as it matters for finding again what was acknowledged. */
export interface CheckedLog {
  readonly lines: number
  /** The line, counted from 1, that bears each hash that was looked for; the start of a log is line 0. */
  readonly lineOf: ReadonlyMap<string, number>
}

/** An acknowledged head and where it was found again; `problem` says what that proves of the log, null when all is well. */
export interface Acknowledged extends AcknowledgedHead {
  readonly line: number | null
  readonly found: boolean
  readonly problem: string | null
}

const cut = ({ lines, hash }: AcknowledgedHead): string =>
  `the log is shorter than what the server acknowledged (${lines} lines, head ${hash}): its tail was cut`

const rewritten = (line: number): string =>
  `the file was rewritten: line ${line} is not the one the server acknowledged`

const problemOf = (head: AcknowledgedHead, line: number | undefined, log: CheckedLog): string | null => {
  if (line === head.lines) return null
  if (line === undefined) return log.lines < head.lines ? cut(head) : rewritten(head.lines)
  if (head.source === "cursor") return `${rewritten(head.lines)}, which stands at line ${line} now`
  // A server may lack events that it refused for good, so that it counts fewer than the log has up to there.
  return head.lines <= log.lines ? null : cut(head)
}

/**
 * Looks for an acknowledged head in a log. A chain alone cannot tell that its end was cut off, or that all of it was forged
 * anew; the hash that somebody else remembers can.
 */
export const compare = (head: AcknowledgedHead, log: CheckedLog): Acknowledged => {
  const line = log.lineOf.get(head.hash)
  return { ...head, line: line ?? null, found: line !== undefined, problem: problemOf(head, line, log) }
}
