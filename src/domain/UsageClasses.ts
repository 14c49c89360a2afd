import * as Schema from "effect/Schema"

const Tokens = Schema.NonNegativeInt
const ReportedTokens = Schema.optional(Tokens)

/** Where the counts come from: the provider's own final word, what an aborted answer is known to have used, or nobody. */
export const UsageSource = Schema.Literal("provider", "lower_bound", "none")
export type UsageSource = typeof UsageSource.Type

/**
 * What did not fit in a provider's report. A part above its whole is cut to it; what is no count (a negative, a text,
 * an impossible size) is left out, and the rest is a lower bound; a total that is not the sum of its parts is not
 * believed; counts of several prompts together do not tell how large any of them was, which a tier depends on.
 */
export const UsageDoubt = Schema.Literal("not_a_count", "part_above_whole", "several_prompts", "total_differs")
export type UsageDoubt = typeof UsageDoubt.Type

/** Sorted, each once, and at least one: nothing doubtful is no list at all. */
export const UsageDoubts = Schema.Array(UsageDoubt).pipe(Schema.minItems(1))

/** Requests to tools that the provider runs and bills by the request, by name: `web_search`, `file_search` … */
export const ServerTools = Schema.Record({ key: Schema.String, value: Tokens })
export type ServerTools = typeof ServerTools.Type

/**
 * Tokens of one call in disjoint classes; only `reasoning` is a part of another class (`output`). Totals are derived, never
 * stored beside the classes, so the two cannot disagree. The members that may be missing are there when the provider
 * reported them: absent is not zero.
 */
export const Usage = Schema.Struct({
  uncachedInput: Tokens,
  cacheRead: Tokens,
  cacheWrite5m: Tokens,
  cacheWrite1h: Tokens,
  output: Tokens,
  reasoning: Tokens,
  source: UsageSource,
  /** Prompt tokens of sound and pictures, which `uncachedInput` and `cacheRead` do not have. */
  audioInput: ReportedTokens,
  audioCacheRead: ReportedTokens,
  imageInput: ReportedTokens,
  imageCacheRead: ReportedTokens,
  /** Answer tokens of sound and pictures, which `output` does not have. */
  audioOutput: ReportedTokens,
  imageOutput: ReportedTokens,
  serverTools: Schema.optional(ServerTools),
  /** The words that change a price, in the provider's spelling; absent where it is the ordinary one (`standard`, `global` …). */
  serviceTier: Schema.optional(Schema.NonEmptyString),
  speed: Schema.optional(Schema.NonEmptyString),
  inferenceGeo: Schema.optional(Schema.NonEmptyString),
  doubts: Schema.optional(UsageDoubts),
})
export type Usage = typeof Usage.Type

/** The members that most calls do not have. */
export type Reported = Omit<
  Usage,
  "uncachedInput" | "cacheRead" | "cacheWrite5m" | "cacheWrite1h" | "output" | "reasoning" | "source"
>

/** No call at all: the neutral element of {@link add}. */
export const none: Usage = {
  uncachedInput: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  reasoning: 0,
  source: "none",
}

/** Whether a usage has the seven members that every usage has, and none of {@link Reported}. */
export const isPlain = (usage: Usage): boolean =>
  usage.audioInput === undefined &&
  usage.audioCacheRead === undefined &&
  usage.imageInput === undefined &&
  usage.imageCacheRead === undefined &&
  usage.audioOutput === undefined &&
  usage.imageOutput === undefined &&
  usage.serverTools === undefined &&
  usage.serviceTier === undefined &&
  usage.speed === undefined &&
  usage.inferenceGeo === undefined &&
  usage.doubts === undefined

/** All prompt tokens, cached ones included. */
export const inputTokens = (usage: Usage): number =>
  usage.uncachedInput +
  usage.cacheRead +
  usage.cacheWrite5m +
  usage.cacheWrite1h +
  (usage.audioInput ?? 0) +
  (usage.audioCacheRead ?? 0) +
  (usage.imageInput ?? 0) +
  (usage.imageCacheRead ?? 0)

/** All answer tokens, reasoning, sound and pictures included. */
export const outputTokens = (usage: Usage): number => usage.output + (usage.audioOutput ?? 0) + (usage.imageOutput ?? 0)

/** Input and output together. */
export const totalTokens = (usage: Usage): number => inputTokens(usage) + outputTokens(usage)

/** The members that are there; what is undefined is left out. */
export const present = (reported: Reported): Reported => {
  const kept: { -readonly [Name in keyof Reported]: Reported[Name] } = {}
  if (reported.audioInput !== undefined) kept.audioInput = reported.audioInput
  if (reported.audioCacheRead !== undefined) kept.audioCacheRead = reported.audioCacheRead
  if (reported.imageInput !== undefined) kept.imageInput = reported.imageInput
  if (reported.imageCacheRead !== undefined) kept.imageCacheRead = reported.imageCacheRead
  if (reported.audioOutput !== undefined) kept.audioOutput = reported.audioOutput
  if (reported.imageOutput !== undefined) kept.imageOutput = reported.imageOutput
  if (reported.serverTools !== undefined) kept.serverTools = reported.serverTools
  if (reported.serviceTier !== undefined) kept.serviceTier = reported.serviceTier
  if (reported.speed !== undefined) kept.speed = reported.speed
  if (reported.inferenceGeo !== undefined) kept.inferenceGeo = reported.inferenceGeo
  if (reported.doubts !== undefined) kept.doubts = reported.doubts
  return kept
}

const weaker = (left: UsageSource, right: UsageSource): UsageSource => {
  if (left === "none") return right
  if (right === "none") return left
  return left === "lower_bound" || right === "lower_bound" ? "lower_bound" : "provider"
}

const sum = (left: number | undefined, right: number | undefined): number | undefined =>
  left === undefined ? right : right === undefined ? left : left + right

const countOf = (tools: ServerTools, name: string): number => (Object.hasOwn(tools, name) ? (tools[name] ?? 0) : 0)

const toolSums = (left: ServerTools | undefined, right: ServerTools | undefined): ServerTools | undefined => {
  if (left === undefined || right === undefined) return left ?? right
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  return Object.fromEntries([...names].map((name) => [name, countOf(left, name) + countOf(right, name)]))
}

const ordered = (left: Usage["doubts"], right: Usage["doubts"]): Usage["doubts"] =>
  left === undefined && right === undefined ? undefined : [...new Set([...(left ?? []), ...(right ?? [])])].sort()

/** The word of a sum whose parts differ in it. It has no price: price each call, then add the money. */
export const MIXED = "mixed"

const wordOf = (left: Usage, right: Usage, word: "serviceTier" | "speed" | "inferenceGeo"): string | undefined => {
  if (left.source === "none") return right[word]
  if (right.source === "none") return left[word]
  return left[word] === right[word] ? left[word] : MIXED
}

const reportedSum = (left: Usage, right: Usage): Reported =>
  present({
    audioInput: sum(left.audioInput, right.audioInput),
    audioCacheRead: sum(left.audioCacheRead, right.audioCacheRead),
    imageInput: sum(left.imageInput, right.imageInput),
    imageCacheRead: sum(left.imageCacheRead, right.imageCacheRead),
    audioOutput: sum(left.audioOutput, right.audioOutput),
    imageOutput: sum(left.imageOutput, right.imageOutput),
    serverTools: toolSums(left.serverTools, right.serverTools),
    serviceTier: wordOf(left, right, "serviceTier"),
    speed: wordOf(left, right, "speed"),
    inferenceGeo: wordOf(left, right, "inferenceGeo"),
    doubts: ordered(left.doubts, right.doubts),
  })

/**
 * The sum, class by class. A monoid with {@link none}: associative, commutative, and as certain as its least certain part.
 * A usage of source `none` is no call, whose words say nothing; words that differ between calls become `mixed`.
 */
export const add = (left: Usage, right: Usage): Usage => {
  const plain: Usage = {
    uncachedInput: left.uncachedInput + right.uncachedInput,
    cacheRead: left.cacheRead + right.cacheRead,
    cacheWrite5m: left.cacheWrite5m + right.cacheWrite5m,
    cacheWrite1h: left.cacheWrite1h + right.cacheWrite1h,
    output: left.output + right.output,
    reasoning: left.reasoning + right.reasoning,
    source: weaker(left.source, right.source),
  }
  return isPlain(left) && isPlain(right) ? plain : { ...plain, ...reportedSum(left, right) }
}
