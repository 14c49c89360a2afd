import type { Anthropic } from "@anthropic-ai/sdk"
import type { Stream } from "@anthropic-ai/sdk/streaming"
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { LlmClient, type LlmClientService } from "../services/LlmClient.js"
import type { AnswerSource } from "../src/domain/Llm.js"
import { nextStep } from "./AnthropicFailure.js"
import { makeEndpoint, protocol } from "./AnthropicHttp.js"
import { streaming } from "./AnthropicStream.js"
import * as ProviderAttempts from "./ProviderAttempts.js"
import * as ProviderStream from "./ProviderStream.js"
import type { PartialParse } from "./ToolArguments.js"

const DEFAULT_BASE_URL = "https://api.anthropic.com"

export interface LlmClientAnthropicOptions extends ProviderAttempts.PolicyOptions {
  readonly apiKey: Redacted.Redacted<string>
  /** Where the Messages API is, without `/v1`; the provider's own address by default. */
  readonly baseUrl?: string | undefined
  /** The address is known to be the sandbox's, which counts for calls that get no answer at all; false by default. */
  readonly sandbox?: boolean | undefined
}

/** What is used of the SDK, loaded when the layer is built. */
interface Sdk {
  readonly Anthropic: typeof Anthropic
  readonly Stream: typeof Stream
  readonly partialParse: PartialParse
}

const load = async (): Promise<Sdk> => {
  const [{ Anthropic }, { Stream }, { partialParse }] = await Promise.all([
    import("@anthropic-ai/sdk"),
    import("@anthropic-ai/sdk/streaming"),
    import("@anthropic-ai/sdk/_vendor/partial-json-parser/parser"),
  ])
  return { Anthropic, Stream, partialParse }
}

const make = (options: LlmClientAnthropicOptions): Effect.Effect<LlmClientService> =>
  Effect.gen(function* () {
    const sdk = yield* Effect.promise(load)
    const policy = ProviderAttempts.policy(options)
    const endpoint = makeEndpoint(sdk.Anthropic, {
      apiKey: Redacted.value(options.apiKey),
      baseUrl: options.baseUrl ?? DEFAULT_BASE_URL,
      timeoutMillis: Duration.toMillis(policy.timeout),
    })
    const unanswered: AnswerSource = options.sandbox === true ? "sandbox" : "provider"
    const asking = { protocol, streaming: streaming(sdk), endpoint, policy, unanswered, nextStep }
    return {
      provider: options.sandbox === true ? "sandbox" : "anthropic",
      baseUrl: endpoint.baseUrl,
      generate: ProviderAttempts.generate(asking),
      stream: ProviderStream.stream(asking),
    }
  })

/**
 * Claude's Messages API through its official SDK, whose own retries, spans, logs and environment variables are off. The SDK
 * is loaded when the layer is built. An attempt that fails on its connection or its time, or with 408, 409, 429 or from
 * 500 on, is tried again (`x-should-retry` of the server goes first, and no wait is shorter than its `retry-after`); every
 * attempt is in the answer or in the error. Interruption aborts the request, and its attempts are told nowhere. A request
 * with a temperature goes out under the API version that still takes one; models that take none answer 400, and the error
 * says so. Errors hold no key. An answer of the sandbox provider is marked as such, whatever the address and whoever
 * answered before.
 */
export const layer = (options: LlmClientAnthropicOptions): Layer.Layer<LlmClient> =>
  Layer.effect(LlmClient, make(options))

const KEY = "ANTHROPIC_API_KEY"

const unset = ConfigError.MissingData(
  [KEY],
  `${KEY} is not set. Set it, or ask the sandbox, which takes any key and costs nothing: "npx runledger sandbox" says the ANTHROPIC_BASE_URL to set.`,
)

/** {@link layer} with `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`. Without a key it fails and says what to do. */
export const layerConfig = (
  options: Omit<LlmClientAnthropicOptions, "apiKey" | "baseUrl"> = {},
): Layer.Layer<LlmClient, ConfigError.ConfigError> =>
  Layer.unwrapEffect(
    Effect.map(
      Config.all({
        apiKey: Config.redacted(Config.nonEmptyString(KEY)),
        baseUrl: Config.option(Config.nonEmptyString("ANTHROPIC_BASE_URL")),
      }).pipe(Effect.mapError((error) => (ConfigError.isMissingDataOnly(error) ? unset : error))),
      ({ apiKey, baseUrl }) => layer({ ...options, apiKey, baseUrl: Option.getOrUndefined(baseUrl) }),
    ),
  )
