const MOST_EXAMPLES = 20

/** What clients of a fuzz found so far. */
export class Findings {
  readonly statuses = new Map<number, number>()
  readonly examples: Array<string> = []
  problems = 0

  answered(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }

  problem(what: string): void {
    this.problems += 1
    if (this.examples.length < MOST_EXAMPLES) this.examples.push(what)
  }
}
