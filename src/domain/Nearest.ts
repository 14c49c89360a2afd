/** How many single-character edits (insert, delete, replace, swap of neighbours) turn one word into the other. */
export const editDistance = (left: string, right: string): number => {
  let beforeLast: ReadonlyArray<number> = []
  let last: ReadonlyArray<number> = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let row = 1; row <= left.length; row++) {
    const current = [row]
    for (let column = 1; column <= right.length; column++) {
      const same = left[row - 1] === right[column - 1]
      const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1]
      current.push(
        Math.min(
          (last[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (last[column - 1] ?? 0) + (same ? 0 : 1),
          swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    beforeLast = last
    last = current
  }
  return last[right.length] ?? 0
}

const folded = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]+/g, "_")

interface Ranked {
  readonly candidate: string
  readonly distance: number
}

/** Close enough to be a slip rather than another word. */
const isSlip = ({ candidate, distance }: Ranked): boolean => distance <= Math.max(2, Math.floor(candidate.length / 2))

const ranked = (word: string, known: Iterable<string>): ReadonlyArray<Ranked> =>
  Array.from(known, (candidate) => ({ candidate, distance: editDistance(folded(word), folded(candidate)) })).sort(
    (left, right) => left.distance - right.distance || left.candidate.localeCompare(right.candidate),
  )

/** The known word that was most likely meant: the closest, and close enough to be a slip rather than another word. */
export const nearest = (word: string, known: Iterable<string>): string | undefined => {
  const best = ranked(word, known)[0]
  return best !== undefined && isSlip(best) ? best.candidate : undefined
}

/** The known words that one may have been meant for: at most so many, the closest first, each once; none that is another word. */
export const closest = (word: string, known: Iterable<string>, most: number): ReadonlyArray<string> =>
  ranked(word, new Set(known))
    .filter(isSlip)
    .slice(0, most)
    .map(({ candidate }) => candidate)
