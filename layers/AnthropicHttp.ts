import type { Anthropic } from "@anthropic-ai/sdk"
import type { LlmRequest } from "../src/domain/Llm.js"
import { decode, isEmpty, SAMPLING_API_VERSION, toBody } from "./AnthropicMessages.js"
import * as ProviderEndpoint from "./ProviderEndpoint.js"
import type { Protocol, StatusError } from "./ProviderHttp.js"

/** A Messages API and the right to use it. */
export type Endpoint = ProviderEndpoint.Endpoint<Anthropic>

const connect = (Client: typeof Anthropic, apiKey: string, baseURL: string, timeoutMillis: number): Anthropic => {
  const client = new Client({
    apiKey,
    baseURL,
    webhookKey: null,
    maxRetries: 0,
    timeout: ProviderEndpoint.sdkTimeout(timeoutMillis),
    openTelemetry: false,
    logLevel: "off",
  })
  ProviderEndpoint.dropHeadersOfEnvironment(client)
  return client
}

/** The endpoint of a base URL and a key; nothing is sent. */
export const makeEndpoint = (
  Client: typeof Anthropic,
  options: { readonly apiKey: string; readonly baseUrl: string; readonly timeoutMillis: number },
): Endpoint =>
  ProviderEndpoint.make({
    apiKey: options.apiKey,
    baseUrl: options.baseUrl,
    howToSetUrl: "ANTHROPIC_BASE_URL, such as https://api.anthropic.com",
    connect: (baseUrl, apiKey) => connect(Client, apiKey ?? "", baseUrl, options.timeoutMillis),
  })

/** The API version that takes the request, where that is not the SDK's own. */
export const versionOf = ({ temperature }: LlmRequest): { readonly headers?: Readonly<Record<string, string>> } =>
  temperature === null ? {} : { headers: { "anthropic-version": SAMPLING_API_VERSION } }

const wordsOf = (error: StatusError) => ({
  words:
    "apiMessage" in error && typeof error.apiMessage === "string"
      ? error.apiMessage
      : error.message.replace(/^\d{3} /, ""),
  isFinal: false,
})

/** The Messages API, as its SDK speaks it. */
export const protocol: Protocol<Anthropic> = {
  requestIdHeader: "request-id",
  // `post` and not `messages.create`: that one writes deprecation notices to the console.
  post: (client, wanted, signal) =>
    client.post("/v1/messages", { body: toBody(wanted), signal, ...versionOf(wanted) }).asResponse(),
  decode,
  isEmpty,
  wordsOf,
}
