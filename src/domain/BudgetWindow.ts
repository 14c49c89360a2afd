import * as Schema from "effect/Schema"

/** Over what a budget holds: one launch, a UTC day, a UTC month, or one worker or model within a UTC month. */
export const BudgetKind = Schema.Literal("launch", "day", "month", "worker", "model")
export type BudgetKind = typeof BudgetKind.Type

/** The calls that one limit holds for. */
export interface BudgetWindow {
  readonly kind: BudgetKind
  /** `YYYY-MM-DD` of a day, `YYYY-MM` of a month, worker or model; empty for a launch. */
  readonly period: string
  /** The worker or the model; empty for the others. */
  readonly name: string
}

/** On whose behalf a call is made, and which model it asks. */
export interface About {
  readonly worker?: string | undefined
  readonly model: string
}

/** The launch itself. */
export const launch: BudgetWindow = { kind: "launch", period: "", name: "" }

/** The UTC day of an instant (epoch ms), `YYYY-MM-DD`. */
export const dayOf = (millis: number): string => new Date(millis).toISOString().slice(0, 10)

/** The UTC month of an instant (epoch ms), `YYYY-MM`. */
export const monthOf = (millis: number): string => dayOf(millis).slice(0, 7)

/** The first millisecond of a day or month. */
export const startOf = (period: string): number => Date.parse(period.length === 7 ? `${period}-01` : period)

/** The first millisecond after a day or month. */
export const endOf = (period: string): number => {
  const start = new Date(startOf(period))
  return period.length === 7
    ? Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1)
    : Date.UTC(start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate() + 1)
}

/** The windows beyond the launch that a call at an instant belongs to. */
export const calendar = ({ model, worker }: About, millis: number): ReadonlyArray<BudgetWindow> => {
  const month = monthOf(millis)
  return [
    { kind: "day", period: dayOf(millis), name: "" },
    { kind: "month", period: month, name: "" },
    ...(worker === undefined ? [] : [{ kind: "worker" as const, period: month, name: worker }]),
    { kind: "model", period: month, name: model },
  ]
}

/** One text a window. */
export const keyOf = ({ kind, name, period }: BudgetWindow): string => `${kind} ${period} ${name}`

/** A window as people say it. */
export const inWords = ({ kind, name, period }: BudgetWindow): string => {
  switch (kind) {
    case "launch":
      return "this launch"
    case "day":
      return `the day ${period} (UTC)`
    case "month":
      return `the month ${period} (UTC)`
    case "worker":
    case "model":
      return `${kind} ${name} in ${period} (UTC)`
  }
}
