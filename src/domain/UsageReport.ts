import {
  none,
  present,
  type Reported,
  type ServerTools,
  type Usage,
  type UsageDoubt,
  type UsageSource,
} from "./UsageClasses.js"

/** No call uses more; a provider that says so is not believed. It keeps every sum and price an exact integer. */
const MOST_TOKENS = 1e9

type Members = Readonly<Record<string, unknown>>

const isMembers = (value: unknown): value is Members => typeof value === "object" && value !== null

/** A member of what may be no object at all. */
export const memberAt = (record: unknown, key: string): unknown => (isMembers(record) ? record[key] : undefined)

/** A member that is an object. */
export const objectAt = (record: unknown, key: string): Members | undefined => {
  const value = memberAt(record, key)
  return isMembers(value) && !Array.isArray(value) ? value : undefined
}

/** A member that is a list; none is an empty one. */
export const listAt = (record: unknown, key: string): ReadonlyArray<unknown> => {
  const value = memberAt(record, key)
  return Array.isArray(value) ? value : []
}

/** The first of some members that is a text. */
export const textAt = (record: unknown, ...keys: ReadonlyArray<string>): string | undefined => {
  for (const key of keys) {
    const value = memberAt(record, key)
    if (typeof value === "string" && value !== "") return value
  }
  return undefined
}

/** Whether a record has any of some members, whatever they are; null is not there. */
export const hasAny = (record: unknown, ...keys: ReadonlyArray<string>): boolean =>
  keys.some((key) => memberAt(record, key) !== undefined && memberAt(record, key) !== null)

/** Reads counts and remembers that one was none. */
export interface CountReader {
  /** The first of some members that is reported; a fraction of a token is none. */
  readonly countAt: (record: unknown, ...keys: ReadonlyArray<string>) => number | undefined
  readonly doubts: ReadonlyArray<UsageDoubt>
}

export const countReader = (): CountReader => {
  const doubts: Array<UsageDoubt> = []
  return {
    doubts,
    countAt: (record, ...keys) => {
      for (const key of keys) {
        const value = memberAt(record, key)
        if (typeof value === "number" && value >= 0 && value <= MOST_TOKENS) return Math.floor(value)
        if (value !== undefined && value !== null) doubts.push("not_a_count")
      }
      return undefined
    },
  }
}

/** The sum of what is reported; undefined when nothing is. */
export const sumOf = (...counts: ReadonlyArray<number | undefined>): number | undefined =>
  counts.reduce((sum, count) => (count === undefined ? sum : (sum ?? 0) + count), undefined)

/** The counts that are above zero, by name; undefined when there is none, since what was not used costs nothing. */
export const toolsUsed = (counts: Readonly<Record<string, number | undefined>>): ServerTools | undefined => {
  const used = Object.entries(counts).flatMap(([name, count]) =>
    count === undefined || count === 0 ? [] : [[name, count] as const],
  )
  return used.length === 0 ? undefined : Object.fromEntries(used)
}

const LONGEST_WORD = 64

/** A price-relevant word in lower case; undefined where it is one of the ordinary ones, which change nothing. */
export const wordUnless = (ordinary: ReadonlyArray<string>, word: string | undefined): string | undefined => {
  const plain = word?.trim().toLowerCase().slice(0, LONGEST_WORD)
  return plain === undefined || plain === "" || ordinary.includes(plain) ? undefined : plain
}

/**
 * What a provider reported of one call, before it is sorted into disjoint classes: every whole includes its parts. Undefined
 * is not reported.
 */
export interface UsageReport {
  /** All prompt tokens: cached, written, audio and image ones included. */
  readonly prompt: number | undefined
  /** All cached prompt tokens, whatever they are of. */
  readonly cacheRead?: number | undefined
  readonly cacheWrite5m?: number | undefined
  readonly cacheWrite1h?: number | undefined
  /** All prompt tokens of sound, cached ones included; and of pictures. */
  readonly audioInput?: number | undefined
  readonly imageInput?: number | undefined
  /** The parts of `cacheRead` that are sound and pictures. */
  readonly audioCacheRead?: number | undefined
  readonly imageCacheRead?: number | undefined
  /** All answer tokens: reasoning, audio and image ones included. */
  readonly output: number | undefined
  readonly reasoning?: number | undefined
  readonly audioOutput?: number | undefined
  readonly imageOutput?: number | undefined
  /** Prompt and output together. */
  readonly total?: number | undefined
  readonly serverTools?: ServerTools | undefined
  readonly serviceTier?: string | undefined
  readonly speed?: string | undefined
  readonly inferenceGeo?: string | undefined
  readonly doubts?: ReadonlyArray<UsageDoubt>
  /** A count that belongs to the call is missing. */
  readonly isPartial?: boolean
}

/** Takes parts out of a whole, in turn: what is more than is left is cut, and remembered. */
const whole = (tokens: number) => {
  let left = tokens
  let exceeded = false
  return {
    take: (part: number | undefined): number => {
      const taken = Math.min(part ?? 0, left)
      exceeded = exceeded || taken < (part ?? 0)
      left -= taken
      return taken
    },
    left: () => left,
    exceeded: () => exceeded,
  }
}

const atLeast = (part: number | undefined, more: number): number | undefined =>
  part === undefined && more === 0 ? undefined : (part ?? 0) + more

const promptClasses = (report: UsageReport, prompt: number) => {
  const all = whole(prompt)
  const audio = whole(all.take(report.audioInput ?? report.audioCacheRead))
  const image = whole(all.take(report.imageInput ?? report.imageCacheRead))
  const cached = whole(report.cacheRead ?? (report.audioCacheRead ?? 0) + (report.imageCacheRead ?? 0))
  const audioCached = audio.take(cached.take(report.audioCacheRead))
  const imageCached = image.take(cached.take(report.imageCacheRead))
  // What is cached and of no known kind is text, and what text is too short for is the rest.
  const textCached = Math.min(cached.left(), all.left())
  all.take(textCached)
  const overflow = whole(cached.left() - textCached)
  const moreAudio = audio.take(overflow.take(Math.min(overflow.left(), audio.left())))
  const moreImage = image.take(overflow.take(Math.min(overflow.left(), image.left())))
  const cacheWrite1h = all.take(report.cacheWrite1h)
  const cacheWrite5m = all.take(report.cacheWrite5m)
  return {
    classes: { uncachedInput: all.left(), cacheRead: textCached, cacheWrite5m, cacheWrite1h },
    reported: {
      audioInput: atLeast(report.audioInput === undefined ? undefined : 0, audio.left()),
      audioCacheRead: atLeast(report.audioCacheRead === undefined ? undefined : audioCached, moreAudio),
      imageInput: atLeast(report.imageInput === undefined ? undefined : 0, image.left()),
      imageCacheRead: atLeast(report.imageCacheRead === undefined ? undefined : imageCached, moreImage),
    },
    exceeded: [all, audio, image, cached].some((one) => one.exceeded()) || overflow.left() > 0,
  }
}

const outputClasses = (report: UsageReport, output: number) => {
  const all = whole(output)
  const audioOutput = report.audioOutput === undefined ? undefined : all.take(report.audioOutput)
  const imageOutput = report.imageOutput === undefined ? undefined : all.take(report.imageOutput)
  const reasoning = Math.min(report.reasoning ?? 0, all.left())
  return {
    classes: { output: all.left(), reasoning },
    reported: { audioOutput, imageOutput },
    exceeded: all.exceeded() || reasoning < (report.reasoning ?? 0),
  }
}

const missing = (total: number | undefined, other: number | undefined): number | undefined =>
  total === undefined || other === undefined || total < other ? undefined : total - other

const distinct = (doubts: ReadonlyArray<UsageDoubt>): Usage["doubts"] =>
  doubts.length === 0 ? undefined : [...new Set(doubts)].sort()

/**
 * Sorts a report into disjoint classes. No count at all is {@link none}. A part above its whole is cut to it, in the order
 * audio, images, cached, written, and the whole stands; a count that is missing is what the total leaves, or else the usage
 * is a lower bound, as it is when prompt parts were cut or a count was unusable.
 */
export const sorted = (report: UsageReport, source: UsageSource): Usage => {
  if (report.prompt === undefined && report.output === undefined) return none
  const prompt = report.prompt ?? missing(report.total, report.output)
  const output = report.output ?? missing(report.total, report.prompt)
  const input = promptClasses(report, prompt ?? 0)
  const answer = outputClasses(report, output ?? 0)
  const differs = report.total !== undefined && report.total !== (prompt ?? 0) + (output ?? 0)
  const doubts: ReadonlyArray<UsageDoubt> = [
    ...(report.doubts ?? []),
    ...(input.exceeded || answer.exceeded ? (["part_above_whole"] as const) : []),
    ...(differs ? (["total_differs"] as const) : []),
  ]
  const isPartial =
    report.isPartial === true ||
    prompt === undefined ||
    output === undefined ||
    input.exceeded ||
    doubts.includes("not_a_count")
  const reported: Reported = {
    ...input.reported,
    ...answer.reported,
    serverTools: report.serverTools,
    serviceTier: report.serviceTier,
    speed: report.speed,
    inferenceGeo: report.inferenceGeo,
    doubts: distinct(doubts),
  }
  return {
    ...input.classes,
    ...answer.classes,
    source: isPartial && source === "provider" ? "lower_bound" : source,
    ...present(reported),
  }
}
