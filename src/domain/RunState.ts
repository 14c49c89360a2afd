import * as Schema from "effect/Schema"

const ORDER = [
  "CREATED",
  "CLONED_INPUTS",
  "INGESTED",
  "FACTS_READY",
  "PLAN_READY",
  "DRAFTING",
  "DRAFT_READY",
  "DONE",
] as const

/** How far a launch has come. */
export const RunState = Schema.Literal(...ORDER, "FAILED", "CANCELLED")
export type RunState = typeof RunState.Type

/** One step forward, to FAILED or CANCELLED from anywhere, or back to CREATED when an ended run is resumed. */
export const mayFollow = (from: RunState, to: RunState): boolean => {
  if (to === "FAILED" || to === "CANCELLED") return from !== "DONE" && from !== to
  const next = ORDER.indexOf(to)
  if (to === "CREATED") return true
  return from !== "FAILED" && from !== "CANCELLED" && next === ORDER.indexOf(from) + 1
}
