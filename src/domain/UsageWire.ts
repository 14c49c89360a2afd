import * as Schema from "effect/Schema"
import {
  inputTokens,
  isPlain,
  outputTokens,
  present,
  ServerTools,
  totalTokens,
  type Usage,
  UsageDoubts,
  type UsageSource,
} from "./UsageClasses.js"

const Tokens = Schema.NonNegativeInt

/** Usage on the wire: `token_usage` of a FINISHED event and the token part of a call's `metrics_json`. */
export const UsageWire = Schema.Struct({
  /** All prompt tokens. */
  input_tokens: Tokens,
  /** All answer tokens. */
  output_tokens: Tokens,
  total_tokens: Tokens,
  cache_read_tokens: Schema.optional(Tokens),
  cache_write_5m_tokens: Schema.optional(Tokens),
  cache_write_1h_tokens: Schema.optional(Tokens),
  reasoning_tokens: Schema.optional(Tokens),
  // Only when the provider reported them:
  audio_input_tokens: Schema.optional(Tokens),
  audio_cache_read_tokens: Schema.optional(Tokens),
  audio_output_tokens: Schema.optional(Tokens),
  image_input_tokens: Schema.optional(Tokens),
  image_cache_read_tokens: Schema.optional(Tokens),
  image_output_tokens: Schema.optional(Tokens),
  server_tool_requests: Schema.optional(ServerTools),
  service_tier: Schema.optional(Schema.NonEmptyString),
  speed: Schema.optional(Schema.NonEmptyString),
  inference_geo: Schema.optional(Schema.NonEmptyString),
  usage_doubts: Schema.optional(UsageDoubts),
})
export type UsageWire = typeof UsageWire.Type

const reportedWire = (usage: Usage): Partial<UsageWire> => ({
  ...(usage.audioInput === undefined ? {} : { audio_input_tokens: usage.audioInput }),
  ...(usage.audioCacheRead === undefined ? {} : { audio_cache_read_tokens: usage.audioCacheRead }),
  ...(usage.audioOutput === undefined ? {} : { audio_output_tokens: usage.audioOutput }),
  ...(usage.imageInput === undefined ? {} : { image_input_tokens: usage.imageInput }),
  ...(usage.imageCacheRead === undefined ? {} : { image_cache_read_tokens: usage.imageCacheRead }),
  ...(usage.imageOutput === undefined ? {} : { image_output_tokens: usage.imageOutput }),
  ...(usage.serverTools === undefined ? {} : { server_tool_requests: usage.serverTools }),
  ...(usage.serviceTier === undefined ? {} : { service_tier: usage.serviceTier }),
  ...(usage.speed === undefined ? {} : { speed: usage.speed }),
  ...(usage.inferenceGeo === undefined ? {} : { inference_geo: usage.inferenceGeo }),
  ...(usage.doubts === undefined ? {} : { usage_doubts: usage.doubts }),
})

/**
 * The wire form: `input_tokens` and `output_tokens` are the totals, every other token member is one disjoint class (only
 * `reasoning_tokens` is a part of the text output), and the classes that most calls lack are written when they were reported.
 */
export const toWire = (usage: Usage): UsageWire => {
  const wire: UsageWire = {
    cache_read_tokens: usage.cacheRead,
    cache_write_1h_tokens: usage.cacheWrite1h,
    cache_write_5m_tokens: usage.cacheWrite5m,
    input_tokens: inputTokens(usage),
    output_tokens: outputTokens(usage),
    reasoning_tokens: usage.reasoning,
    total_tokens: totalTokens(usage),
  }
  return isPlain(usage) ? wire : { ...wire, ...reportedWire(usage) }
}

const hasOnlyText = (wire: UsageWire): boolean =>
  wire.audio_input_tokens === undefined &&
  wire.audio_cache_read_tokens === undefined &&
  wire.image_input_tokens === undefined &&
  wire.image_cache_read_tokens === undefined

/** The inverse of {@link toWire}. */
export const fromWire = (wire: UsageWire, source: UsageSource): Usage => {
  const cacheRead = wire.cache_read_tokens ?? 0
  const cacheWrite5m = wire.cache_write_5m_tokens ?? 0
  const cacheWrite1h = wire.cache_write_1h_tokens ?? 0
  const notText = hasOnlyText(wire)
    ? 0
    : (wire.audio_input_tokens ?? 0) +
      (wire.audio_cache_read_tokens ?? 0) +
      (wire.image_input_tokens ?? 0) +
      (wire.image_cache_read_tokens ?? 0)
  return {
    uncachedInput: Math.max(0, wire.input_tokens - cacheRead - cacheWrite5m - cacheWrite1h - notText),
    cacheRead,
    cacheWrite5m,
    cacheWrite1h,
    output: Math.max(0, wire.output_tokens - (wire.audio_output_tokens ?? 0) - (wire.image_output_tokens ?? 0)),
    reasoning: wire.reasoning_tokens ?? 0,
    source,
    ...present({
      audioInput: wire.audio_input_tokens,
      audioCacheRead: wire.audio_cache_read_tokens,
      imageInput: wire.image_input_tokens,
      imageCacheRead: wire.image_cache_read_tokens,
      audioOutput: wire.audio_output_tokens,
      imageOutput: wire.image_output_tokens,
      serverTools: wire.server_tool_requests,
      serviceTier: wire.service_tier,
      speed: wire.speed,
      inferenceGeo: wire.inference_geo,
      doubts: wire.usage_doubts,
    }),
  }
}
