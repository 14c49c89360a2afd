/** Events that the log itself reports as lost, and why. */
export interface LostEvents {
  readonly line: number
  readonly dropped: number
  readonly reason: string
}

/** What an unowned look at a whole log found: whether its chain holds, where the hashes that were asked for stand, and its gaps. */
export interface LogAudit {
  readonly lines: number
  readonly head: string
  readonly problems: ReadonlyArray<{ readonly line: number; readonly problem: string }>
  /** By hash, the line that bears it, counted from 1; the start of a log is line 0. */
  readonly lineOf: ReadonlyMap<string, number>
  readonly gaps: ReadonlyArray<LostEvents>
}

/** How far a log's cursor says that the server acknowledged it. `held`: what stands behind it was recorded offline. */
export type CursorNote =
  | { readonly kind: "none" }
  | { readonly kind: "unusable"; readonly problem: string }
  | { readonly kind: "known"; readonly lines: number; readonly hash: string; readonly held: boolean }

/** What stands beside a log, and what its first and last line tell. */
export interface LogSurroundings {
  readonly cursor: CursorNote
  readonly deadLetters: { readonly file: string; readonly count: number }
  readonly runIds: ReadonlyArray<string>
  /** When its last event was recorded; null when it has none that can be read. */
  readonly lastAt: string | null
}
