import * as os from "node:os"

/** Where figures were taken: a figure without its machine says nothing. */
export const machine = (): string => {
  const cpus = os.cpus()
  const memory = Math.round(os.totalmem() / 1024 ** 3)
  return `${cpus.length} × ${cpus[0]?.model.trim() ?? "unknown CPU"}, ${memory} GiB, ${os.type()} ${os.arch()}, Node ${process.version}`
}

/** The middle of a non-empty list. */
export const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

export const milliseconds = (value: number): string => `${value.toFixed(0)} ms`
export const ratio = (value: number): string => `${value.toFixed(3)} ×`

/** Says of each figure whether it keeps its bound, and remembers whether all did. */
export class Verdicts {
  #missed = 0

  readonly bound = (what: string, value: number, most: number, show: (value: number) => string): void => {
    const kept = value <= most
    if (!kept) this.#missed += 1
    process.stdout.write(`${kept ? "pass" : "MISS"}  ${what}: ${show(value)} (bound ${show(most)})\n`)
  }

  readonly least = (what: string, value: number, least: number, show: (value: number) => string): void => {
    const kept = value >= least
    if (!kept) this.#missed += 1
    process.stdout.write(`${kept ? "pass" : "MISS"}  ${what}: ${show(value)} (at least ${show(least)})\n`)
  }

  readonly same = (what: string, kept: boolean): void => {
    if (!kept) this.#missed += 1
    process.stdout.write(`${kept ? "pass" : "MISS"}  ${what}\n`)
  }

  get exitCode(): number {
    return this.#missed === 0 ? 0 : 1
  }
}
