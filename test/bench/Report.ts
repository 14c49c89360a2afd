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

interface Verdict {
  readonly what: string
  readonly figure: string
  readonly bound: string
  readonly kept: boolean
}

const verdictOf = (kept: boolean): string => (kept ? "pass" : "MISS")

/** Says of each figure whether it keeps its bound, and remembers whether all did. */
export class Verdicts {
  readonly #given: Array<Verdict> = []

  readonly bound = (what: string, value: number, most: number, show: (value: number) => string): void => {
    const kept = value <= most
    this.#given.push({ what, figure: show(value), bound: `≤ ${show(most)}`, kept })
    process.stdout.write(`${verdictOf(kept)}  ${what}: ${show(value)} (bound ${show(most)})\n`)
  }

  readonly least = (what: string, value: number, least: number, show: (value: number) => string): void => {
    const kept = value >= least
    this.#given.push({ what, figure: show(value), bound: `≥ ${show(least)}`, kept })
    process.stdout.write(`${verdictOf(kept)}  ${what}: ${show(value)} (at least ${show(least)})\n`)
  }

  readonly same = (what: string, kept: boolean): void => {
    this.#given.push({ what, figure: "", bound: "", kept })
    process.stdout.write(`${verdictOf(kept)}  ${what}\n`)
  }

  /** Everything that was said so far, with figures and bounds in columns. */
  readonly table = (): string => {
    const rows = [{ what: "what", figure: "figure", bound: "bound" }, ...this.#given]
    const width = (of: (row: Omit<Verdict, "kept">) => string): number =>
      Math.max(...rows.filter(({ figure }) => figure !== "").map((row) => of(row).length))
    const [what, figure] = [width((row) => row.what), width((row) => row.figure)]
    const lines = rows.map((row) => {
      const verdict = "kept" in row ? verdictOf(row.kept) : "    "
      return `${verdict}  ${row.what.padEnd(what)}  ${row.figure.padStart(figure)}  ${row.bound}`.trimEnd()
    })
    return lines.join("\n")
  }

  get exitCode(): number {
    return this.#given.every(({ kept }) => kept) ? 0 : 1
  }
}
