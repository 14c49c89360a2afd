import { isTerminal, type Status } from "./Status.js"

/** How a row stands: its status, and whether that is an ending that nobody reported. */
export interface Standing {
  readonly status: Status
  readonly inferred: boolean
}

/** What decides whether an update is taken. */
export interface UpdateIntent {
  readonly status?: Status | undefined
  readonly reopen: boolean
  readonly inferred: boolean
}

/**
 * Why an update must be ignored as a whole, or null when it is taken. A terminal status never goes back to running, unless
 * the run is reopened or its ending was only inferred; an inferred ending never replaces one that the client reported.
 */
export const refusal = (standing: Standing, update: UpdateIntent): string | null => {
  if (!isTerminal(standing.status)) return null
  if (update.inferred && !standing.inferred) {
    return `ignored: the run has already ended as ${standing.status} by its client's own word`
  }
  if (update.status !== "running" || update.reopen || (standing.inferred && !update.inferred)) return null
  return `ignored: the run has already ended as ${standing.status} and does not go back to running`
}

/** Whether the status that stands after an update was only inferred. */
export const inferredAfter = (standing: Standing, update: UpdateIntent): boolean =>
  update.status === undefined ? standing.inferred : update.inferred && isTerminal(update.status)

/** The fields that an inferred ending puts into a row. */
export interface InferredFields {
  readonly end_time?: null
  readonly duration_ms?: number
  readonly error_summary?: null
  readonly error_details?: null
}

/**
 * What goes out of a row with an inferred ending that the client's own word replaces, before that word is written: nothing of
 * a time-out that did not happen may stay.
 */
export const takenBack = (standing: Standing, update: UpdateIntent): InferredFields =>
  standing.inferred && isTerminal(standing.status) && update.status !== undefined && !update.inferred
    ? { end_time: null, duration_ms: 0, error_summary: null, error_details: null }
    : {}
