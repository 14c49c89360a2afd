import * as Either from "effect/Either"

/** One way in which the sandbox misbehaves; `src/sandbox/README.md` says what each does. */
export type Fault =
  | { readonly kind: "none" }
  | { readonly kind: "latency"; readonly millis: number }
  | { readonly kind: "status"; readonly status: number; readonly retryAfter: string | null }
  | { readonly kind: "hang" | "reset" | "cut" | "malformed" | "html" | "empty" | "blank" }
  | { readonly kind: "max_tokens"; readonly tokens: number }
  | { readonly kind: "drip"; readonly millis: number }
  | { readonly kind: "break" | "stall" | "error_event"; readonly events: number }

/** A fault and for how many requests it holds, one after the other. */
export interface PlannedFault {
  readonly fault: Fault
  readonly times: number
}

const PLAIN = ["hang", "reset", "cut", "malformed", "html", "empty", "blank"] as const

const OF_STREAMS = ["break", "stall", "error_event"] as const

const HOW = `Faults are ok, latency:<ms>, <status>[:<retry-after>], ${PLAIN.join(", ")}, max_tokens:<n>, and of streams drip:<ms>, ${OF_STREAMS.map((name) => `${name}:<events>`).join(", ")}, each with *<times> or * (for good), joined by commas.`

const faultOf = (name: string, argument: string | null): Fault | undefined => {
  const number = Number(argument)
  const isCount = argument !== null && Number.isInteger(number) && number >= 0
  const plain = PLAIN.find((candidate) => candidate === name)
  if (plain !== undefined && argument === null) return { kind: plain }
  if (name === "ok" && argument === null) return { kind: "none" }
  if (name === "latency" && isCount) return { kind: "latency", millis: number }
  if (name === "drip" && isCount) return { kind: "drip", millis: number }
  const ofStreams = OF_STREAMS.find((candidate) => candidate === name)
  if (ofStreams !== undefined && isCount) return { kind: ofStreams, events: number }
  if (name === "max_tokens" && isCount && number > 0) return { kind: "max_tokens", tokens: number }
  return /^[45]\d\d$/.test(name) ? { kind: "status", status: Number(name), retryAfter: argument } : undefined
}

const ITEM = /^([a-z_]+|\d{3})(?::([^*]+))?(\*(\d*))?$/

const plannedOf = (item: string): Either.Either<PlannedFault, string> => {
  const match = ITEM.exec(item)
  const fault = match === null ? undefined : faultOf(match[1] ?? "", match[2] ?? null)
  if (match === null || fault === undefined) return Either.left(`"${item}" is not a fault. ${HOW}`)
  const times = match[3] === undefined ? 1 : match[4] === "" ? Number.POSITIVE_INFINITY : Number(match[4])
  return Either.right({ fault, times })
}

/** Reads a plan such as `429:2*3,latency:500,ok,hang*`; on the left what is wrong with it. */
export const parse = (plan: string): Either.Either<ReadonlyArray<PlannedFault>, string> =>
  Either.all(
    plan
      .split(/,(?![^,]*GMT)/)
      .map((item) => item.trim())
      .filter((item) => item !== "")
      .map(plannedOf),
  )

/** The fault of the n-th request (from 0) under a plan; none after the plan's end. */
export const at = (plan: ReadonlyArray<PlannedFault>, request: number): Fault => {
  let before = request
  for (const { fault, times } of plan) {
    if (before < times) return fault
    before -= times
  }
  return { kind: "none" }
}
