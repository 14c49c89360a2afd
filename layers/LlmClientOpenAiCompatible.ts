import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { OpenAI } from "openai"
import { LlmClient, type LlmClientService } from "../services/LlmClient.js"
import type { AnswerSource } from "../src/domain/Llm.js"
import { nextStep } from "./OpenAiFailure.js"
import { type Manner, makeEndpoint, protocol } from "./OpenAiHttp.js"
import type { MaxTokensField } from "./OpenAiMessages.js"
import { type Events, streaming } from "./OpenAiStream.js"
import * as ProviderAttempts from "./ProviderAttempts.js"
import * as ProviderStream from "./ProviderStream.js"
import type { PartialParse } from "./ToolArguments.js"

const DEFAULT_BASE_URL = "https://api.openai.com/v1"

export interface LlmClientOpenAiCompatibleOptions extends ProviderAttempts.PolicyOptions {
  /** Local servers mostly take none: without it no `authorization` goes out. */
  readonly apiKey?: Redacted.Redacted<string> | undefined
  /** Where the API is, up to what comes before `/chat/completions`, mostly with `/v1`; OpenAI's own address by default. */
  readonly baseUrl?: string | undefined
  /**
   * Who answers, in the record and in the price book: `openai` by default, or `ollama`, `vllm`, `azure` … A provider that the
   * price book does not know is unpriced, not free, until a price file says what it costs.
   */
  readonly provider?: string | undefined
  /**
   * The member of the request that limits the answer: `max_completion_tokens` at OpenAI's own addresses and Azure's, whose
   * newer models take no other, and `max_tokens` elsewhere, which is what all other servers know.
   */
  readonly maxTokensField?: MaxTokensField | undefined
  /**
   * Whether a stream asks for its usage (`stream_options`), without which most servers tell none; true by default. Set it to
   * false for a server that refuses to be asked: its streams have `usage_source: none`, unless it tells by itself.
   */
  readonly streamUsage?: boolean | undefined
  /** The address is known to be the sandbox's, which counts for calls that get no answer at all; false by default. */
  readonly sandbox?: boolean | undefined
}

const OWN_HOSTS = /(?:^|\.)(?:openai\.com|openai\.azure\.com|cognitiveservices\.azure\.com)$/

const maxTokensFieldAt = (baseUrl: string): MaxTokensField =>
  URL.canParse(baseUrl) && OWN_HOSTS.test(new URL(baseUrl).hostname) ? "max_completion_tokens" : "max_tokens"

/** What is used of the SDK, loaded when the layer is built. */
interface Sdk {
  readonly OpenAI: typeof OpenAI
  readonly events: Events
  readonly partialParse: PartialParse
}

const load = async (): Promise<Sdk> => {
  const [{ OpenAI }, { _iterSSEMessages: events }, { partialParse }] = await Promise.all([
    import("openai"),
    import("openai/streaming"),
    import("openai/_vendor/partial-json-parser/parser"),
  ])
  return { OpenAI, events, partialParse }
}

const make = (options: LlmClientOpenAiCompatibleOptions): Effect.Effect<LlmClientService> =>
  Effect.gen(function* () {
    const sdk = yield* Effect.promise(load)
    const policy = ProviderAttempts.policy(options)
    const { apiKey, baseUrl = DEFAULT_BASE_URL, sandbox = false } = options
    const endpoint = makeEndpoint(sdk.OpenAI, {
      apiKey: apiKey === undefined ? null : Redacted.value(apiKey),
      baseUrl,
      timeoutMillis: Duration.toMillis(policy.timeout),
    })
    const manner: Manner = {
      hasKey: apiKey !== undefined,
      maxTokensField: options.maxTokensField ?? maxTokensFieldAt(baseUrl),
      streamUsage: options.streamUsage ?? true,
    }
    const unanswered: AnswerSource = sandbox ? "sandbox" : "provider"
    const asking = {
      protocol: protocol(manner, sdk.partialParse),
      streaming: streaming(sdk, manner),
      ...{ endpoint, policy, unanswered, nextStep },
    }
    return {
      provider: sandbox ? "sandbox" : (options.provider ?? "openai"),
      baseUrl: endpoint.baseUrl,
      generate: ProviderAttempts.generate(asking),
      stream: ProviderStream.stream(asking),
    }
  })

/**
 * Any chat-completions API (OpenAI, Azure, Ollama, vLLM, LM Studio, a gateway …) through OpenAI's official SDK, whose own
 * retries, logs and environment variables are off; a header in `OPENAI_CUSTOM_HEADERS` that is none is the only one that
 * can still stop a call, and the error says so. The SDK is loaded when the layer is built. Retries, attempts, interruption and
 * secrets are as with {@link LlmClientAnthropic}; a 429 that says the quota is used up is final. A tool call
 * whose arguments are no JSON is a `MalformedResponse` with its usage, unless the answer was cut there, as with the Messages API.
 * An error that comes under a status of success is told as one. Refusals and filtered answers end with `error`. A stream asks for its usage; where the server tells
 * none, and where the stream breaks off before it, nobody knows what was used.
 */
export const layer = (options: LlmClientOpenAiCompatibleOptions = {}): Layer.Layer<LlmClient> =>
  Layer.effect(LlmClient, make(options))

const unset = ConfigError.MissingData(
  ["OPENAI_API_KEY"],
  "OPENAI_API_KEY is not set. Set it; or set OPENAI_BASE_URL to a server that takes no key, such as http://localhost:11434/v1 or the " +
    'address that "npx runledger sandbox" says, which costs nothing.',
)

/**
 * {@link layer} with `OPENAI_API_KEY` and `OPENAI_BASE_URL`: an address of one's own may need no key. Without either it fails and
 * says what to do.
 */
export const layerConfig = (
  options: Omit<LlmClientOpenAiCompatibleOptions, "apiKey" | "baseUrl"> = {},
): Layer.Layer<LlmClient, ConfigError.ConfigError> =>
  Layer.unwrapEffect(
    Effect.map(
      Config.all({
        apiKey: Config.option(Config.redacted(Config.nonEmptyString("OPENAI_API_KEY"))),
        baseUrl: Config.option(Config.nonEmptyString("OPENAI_BASE_URL")),
      }).pipe(
        Effect.filterOrFail(
          ({ apiKey, baseUrl }) => Option.isSome(apiKey) || Option.isSome(baseUrl),
          () => unset,
        ),
      ),
      ({ apiKey, baseUrl }) =>
        layer({ ...options, apiKey: Option.getOrUndefined(apiKey), baseUrl: Option.getOrUndefined(baseUrl) }),
    ),
  )
