/**
 * How often values of which size were seen, in buckets that grow by {@link GROWTH}: the bucket `n` holds what is above
 * `GROWTH^(n-1)` and not above `GROWTH^n`. Whatever is added can be subtracted again, and a quantile is within 4 % of the
 * value that a sorted list of all would name. Adding, subtracting and merging change the histogram that is given first.
 */
export type Histogram = Map<number, number>

const GROWTH = 1.08

/** Buckets for each time that a value grows by e: the bucket of a value is its natural logarithm times this, rounded up. */
export const PER_BUCKET = 1 / Math.log(GROWTH)

/** In the middle of a bucket, as far from its lower end as from its upper one in proportion. */
const MIDDLE = 2 / (1 + GROWTH)

/** The bucket of 0: below that of the smallest number there is. */
const ZERO = -32_768

export const make = (): Histogram => new Map()

const bucketOf = (value: number): number => (value > 0 ? Math.ceil(Math.log(value) * PER_BUCKET) : ZERO)

const put = (histogram: Histogram, bucket: number, times: number): void => {
  const now = (histogram.get(bucket) ?? 0) + times
  if (now === 0) histogram.delete(bucket)
  else histogram.set(bucket, now)
}

/** Counts a value, not negative, in any unit; -1 times takes one away again. */
export const add = (histogram: Histogram, value: number, times = 1): void => put(histogram, bucketOf(value), times)

/** Counts everything that the other one holds. */
export const merge = (histogram: Histogram, other: ReadonlyMap<number, number>): void => {
  for (const [bucket, times] of other) put(histogram, bucket, times)
}

/** How many values it holds. */
export const size = (histogram: ReadonlyMap<number, number>): number => {
  let all = 0
  for (const times of histogram.values()) all += times
  return all
}

const byBucket = (left: readonly [number, number], right: readonly [number, number]): number => left[0] - right[0]

/**
 * The values below or at which each given share lies, within 4 % (nearest rank: the smallest value that at least this share does
 * not exceed), in the order of the shares; null when nothing was counted.
 */
export const quantiles = (
  histogram: ReadonlyMap<number, number>,
  shares: ReadonlyArray<number>,
): ReadonlyArray<number | null> => {
  const sorted = [...histogram].sort(byBucket)
  const all = size(histogram)
  return shares.map((share) => {
    const rank = Math.max(1, Math.ceil(share * all - 1e-9))
    let seen = 0
    for (const [bucket, times] of sorted) {
      seen += times
      if (seen >= rank) return bucket === ZERO ? 0 : GROWTH ** bucket * MIDDLE
    }
    return null
  })
}

/** One of {@link quantiles}. */
export const quantile = (histogram: ReadonlyMap<number, number>, share: number): number | null =>
  quantiles(histogram, [share])[0] ?? null

const LOW_BITS = 128

const writeVarint = (bytes: Array<number>, value: number): void => {
  let rest = value
  while (rest >= LOW_BITS) {
    bytes.push((rest % LOW_BITS) + LOW_BITS)
    rest = Math.floor(rest / LOW_BITS)
  }
  bytes.push(rest)
}

/** Few bytes for it: how far each bucket is above the one before, and its count; null when it holds nothing. */
export const encode = (histogram: ReadonlyMap<number, number>): Uint8Array | null => {
  if (histogram.size === 0) return null
  const bytes: Array<number> = []
  let before = ZERO
  for (const [bucket, times] of [...histogram].sort(byBucket)) {
    writeVarint(bytes, bucket - before)
    writeVarint(bytes, times)
    before = bucket
  }
  return Uint8Array.from(bytes)
}

/** Counts everything that {@link encode} wrote, without making a histogram of it first. Bytes of anything else count something. */
export const mergeEncoded = (histogram: Histogram, bytes: Uint8Array): void => {
  let bucket = ZERO
  let value = 0
  let scale = 1
  let isCount = false
  for (const byte of bytes) {
    value += (byte % LOW_BITS) * scale
    scale *= LOW_BITS
    if (byte >= LOW_BITS) continue
    if (isCount) put(histogram, bucket, value)
    else bucket += value
    isCount = !isCount
    value = 0
    scale = 1
  }
}

/** What {@link encode} made. Bytes of anything else give some histogram, never an error. */
export const decode = (bytes: Uint8Array | null): Histogram => {
  const histogram = make()
  if (bytes !== null) mergeEncoded(histogram, bytes)
  return histogram
}
