import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { usageOf } from "./CallUsage.js"
import type { Json } from "./JsonRecord.js"
import * as Usage from "./Usage.js"

/** Who was asked for what, and who answered. */
export interface Asked {
  /** Null where the caller's SDK did not tell. */
  readonly provider: string | null
  readonly model: string | null
  /** Who answered, where that was told. */
  readonly responseModel: string | null
}

/** What decides the price of a call that stands in a row. */
export interface PricedCall extends Asked {
  readonly metrics: Json
  /** The attempts with a bill of their own, as the row's context has them; see {@link billedAttempts}. */
  readonly attempts: ReadonlyArray<unknown>
  /** Pruning took who answered and the attempts out of the context, in a version that did not keep them. */
  readonly isEmptied?: boolean
}

/** One request that a call is billed for: its answer, or an attempt that failed. */
export interface CallPart extends Asked {
  readonly usage: Usage.Usage
}

const Billed = Schema.Struct({
  provider: Schema.optional(Schema.String),
  model: Schema.optional(Schema.String),
  token_usage: Usage.UsageWire,
  usage_source: Schema.optional(Usage.UsageSource),
})

const areBilled = Schema.is(Schema.Array(Billed))

const hasBill = (attempt: unknown): boolean =>
  typeof attempt === "object" && attempt !== null && "token_usage" in attempt && attempt.token_usage != null

/** Of the `attempts` of a context, those with a bill of their own; their tokens are a part of the call's. */
export const billedAttempts = (attempts: unknown): ReadonlyArray<unknown> =>
  Array.isArray(attempts) ? attempts.filter(hasBill) : []

const CLASSES = ["uncachedInput", "cacheRead", "cacheWrite5m", "cacheWrite1h", "output", "reasoning"] as const
const REPORTED = ["audioInput", "audioCacheRead", "imageInput", "imageCacheRead", "audioOutput", "imageOutput"] as const

type Counts = { [Name in (typeof CLASSES)[number] | (typeof REPORTED)[number]]?: number }

/** Requests to tools that are left; undefined when some were asked for more often than all together. */
const toolsLeft = (whole: Usage.ServerTools, parts: ReadonlyArray<Usage.Usage>): Usage.ServerTools | undefined => {
  const left = new Map(Object.entries(whole))
  for (const { serverTools } of parts) {
    for (const [name, count] of Object.entries(serverTools ?? {})) left.set(name, (left.get(name) ?? 0) - count)
  }
  return [...left.values()].every((count) => count >= 0) ? Object.fromEntries(left) : undefined
}

/** What is left of a sum without some of its parts; undefined when they are more than the sum. */
const rest = (whole: Usage.Usage, parts: ReadonlyArray<Usage.Usage>): Usage.Usage | undefined => {
  const counts: Counts = {}
  for (const name of [...CLASSES, ...REPORTED]) {
    const left = parts.reduce((sum, part) => sum - (part[name] ?? 0), whole[name] ?? 0)
    if (left < 0) return undefined
    if (whole[name] !== undefined) counts[name] = left
  }
  const tools = toolsLeft(whole.serverTools ?? {}, parts)
  if (tools === undefined) return undefined
  return { ...whole, ...counts, ...(whole.serverTools === undefined ? {} : { serverTools: tools }) }
}

const isNothing = (usage: Usage.Usage): boolean =>
  Usage.totalTokens(usage) === 0 && Object.values(usage.serverTools ?? {}).every((count) => count === 0)

const isMixed = ({ inferenceGeo, serviceTier, speed }: Usage.Usage): boolean =>
  [inferenceGeo, serviceTier, speed].includes(Usage.MIXED)

const apart = (call: PricedCall, whole: Usage.Usage): Either.Either<ReadonlyArray<CallPart>, string> => {
  const { attempts, metrics: _, ...asked } = call
  if (!areBilled(attempts)) return Either.left("what its failed attempts used cannot be read")
  const failed = attempts.map(
    ({ model, provider, token_usage, usage_source }): CallPart => ({
      provider: provider ?? asked.provider,
      model: model ?? asked.model,
      responseModel: null,
      usage: Usage.fromWire(token_usage, usage_source ?? "provider"),
    }),
  )
  const usages = failed.map(({ usage }) => usage)
  const own = rest(whole, usages)
  if (own === undefined) return Either.left("its failed attempts used more than all of it together")
  if (isNothing(own)) return Either.right(failed)
  if (isMixed(whole)) return Either.left("its attempts had several service tiers, speeds or places of inference")
  return Either.right([{ ...asked, usage: own }, ...failed])
}

/** Why a call has no price whose tokens nobody told. */
export const NO_TOKENS = "it tells no tokens"

/**
 * What a call's metrics count together, apart: its answer, and each attempt that failed and is billed, since each has a model, a
 * prompt size and a price of its own. A text says why that cannot be told.
 */
export const partsOf = (call: PricedCall): Either.Either<ReadonlyArray<CallPart>, string> => {
  const { attempts, metrics, model, provider, responseModel } = call
  if (call.isEmptied === true) return Either.left("who answered it was pruned by an older version")
  const whole = usageOf(metrics)
  if (whole._tag === "None") return Either.left(NO_TOKENS)
  return attempts.length === 0
    ? Either.right([{ provider, model, responseModel, usage: whole.value }])
    : apart(call, whole.value)
}

/** Who answers without a bill. */
export const isFree = ({ provider }: Pick<Asked, "provider">): boolean =>
  provider === "sandbox" || provider === "replay"

/** The parts whose money is added: real ones alone, and only where there is none the others. */
export const paid = (parts: ReadonlyArray<CallPart>): ReadonlyArray<CallPart> => {
  const real = parts.filter((part) => !isFree(part))
  return real.length === 0 ? parts : real
}
