import type { CostStatus } from "../domain/Cost.js"

/** Nano-dollars as dollars: four decimals, more where four would show nothing of a real amount. */
export const dollars = (nanoUsd: number): string => {
  const usd = nanoUsd / 1e9
  if (usd === 0) return "$0"
  if (usd >= 0.01) return `$${usd.toFixed(4)}`
  const digits = Math.min(9, 3 + Math.ceil(-Math.log10(usd)))
  return `$${usd.toFixed(digits)}`
}

/** The same of an amount that may be less than nothing. */
export const signed = (nanoUsd: number): string => (nanoUsd < 0 ? `-${dollars(-nanoUsd)}` : dollars(nanoUsd))

/** The same of a difference, whose sign is always said. */
export const difference = (nanoUsd: number): string => (nanoUsd > 0 ? `+${dollars(nanoUsd)}` : signed(nanoUsd))

/** A share between 0 and 1 in percent. */
export const percent = (share: number): string => `${Math.round(share * 100)} %`

/** What some calls cost. Money of `priced` calls and of the sandbox never meet. */
export interface Spending {
  readonly total_tokens: number
  readonly cost_nanousd: number
  readonly simulated_cost_nanousd: number
  readonly unpriced_calls: number
  readonly replayed_calls: number
}

/** Spending in words: real money first; what is simulated, replayed, unpriced or used nothing never reads as $0. */
export const spending = (spent: Spending): string => {
  const parts = [
    ...(spent.cost_nanousd > 0 ? [dollars(spent.cost_nanousd)] : []),
    ...(spent.simulated_cost_nanousd > 0 ? [`${dollars(spent.simulated_cost_nanousd)} simulated`] : []),
    ...(spent.replayed_calls > 0 ? [`${spent.replayed_calls} replayed`] : []),
    ...(spent.unpriced_calls > 0 ? [`${spent.unpriced_calls} unpriced`] : []),
  ]
  if (parts.length > 0) return parts.join(" + ")
  return spent.total_tokens === 0 ? "-" : "$0"
}

/** One call's cost with its standing. */
export const callCost = (nanoUsd: number | null, status: CostStatus | null): string => {
  switch (status) {
    case "priced":
      return nanoUsd === null ? "unpriced" : dollars(nanoUsd)
    case "simulated":
      return nanoUsd === null ? "unpriced (simulated)" : `${dollars(nanoUsd)} simulated`
    case "replayed":
      return "replayed"
    case "unpriced":
      return "unpriced"
    case null:
      return "-"
  }
}

/** A count with thousands set apart. */
export const count = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",")

/** Milliseconds as people say them. */
export const duration = (milliseconds: number): string => {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 60) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** An instant without its milliseconds: `2026-01-31 12:00:00Z`. */
export const instant = (timestamp: string): string => timestamp.replace("T", " ").replace(/\.\d+Z$/, "Z")

export const plural = (amount: number, noun: string): string => `${count(amount)} ${noun}${amount === 1 ? "" : "s"}`
