/**
 * Counts what goes wrong again and again, so that a broken disk or a dead server is told of once and not a thousand times.
 * Holds a bounded number of causes; whatever comes beyond them is counted together as `other causes`.
 */
export interface Occurrences {
  /** Counts one occurrence; true exactly when it is the first of its cause and is to be told now. */
  readonly note: (cause: string) => boolean
  /** The causes that occurred again after they were told of, and how many times more. Starts their count anew. */
  readonly takeRepeats: () => ReadonlyArray<{ readonly cause: string; readonly times: number }>
}

/** No occurrences yet; at most `limit` causes are told apart. */
export const make = (limit = 64): Occurrences => {
  const repeats = new Map<string, number>()
  return {
    note: (cause) => {
      const key = repeats.has(cause) || repeats.size < limit ? cause : "other causes"
      const seen = repeats.get(key)
      repeats.set(key, seen === undefined ? 0 : seen + 1)
      return seen === undefined
    },
    takeRepeats: () => {
      const taken = Array.from(repeats, ([cause, times]) => ({ cause, times })).filter(({ times }) => times > 0)
      for (const { cause } of taken) repeats.set(cause, 0)
      return taken
    },
  }
}
