import type { OpenAI } from "openai"
import { wordsOf } from "./OpenAiFailure.js"
import { decode, isEmpty, type MaxTokensField, toBody } from "./OpenAiMessages.js"
import * as ProviderEndpoint from "./ProviderEndpoint.js"
import type { Protocol } from "./ProviderHttp.js"
import type { PartialParse } from "./ToolArguments.js"

/** A chat-completions API and the right to use it. */
export type Endpoint = ProviderEndpoint.Endpoint<OpenAI>

/** The SDK takes no null for a key that it would read from the environment then; the header of this one is never sent. */
const NO_KEY = "none"

const connect = (Client: typeof OpenAI, apiKey: string | null, baseURL: string, timeoutMillis: number): OpenAI => {
  const client = new Client({
    apiKey: apiKey ?? NO_KEY,
    baseURL,
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    maxRetries: 0,
    timeout: ProviderEndpoint.sdkTimeout(timeoutMillis),
    logLevel: "off",
  })
  ProviderEndpoint.dropHeadersOfEnvironment(client)
  return client
}

/** The endpoint of a base URL and a key, which local servers mostly do without; nothing is sent. */
export const makeEndpoint = (
  Client: typeof OpenAI,
  options: { readonly apiKey: string | null; readonly baseUrl: string; readonly timeoutMillis: number },
): Endpoint =>
  ProviderEndpoint.make({
    apiKey: options.apiKey,
    baseUrl: options.baseUrl,
    howToSetUrl: "OPENAI_BASE_URL, such as https://api.openai.com/v1",
    connect: (baseUrl, apiKey) => connect(Client, apiKey, baseUrl, options.timeoutMillis),
  })

/** Takes the header of a key away where there is none. */
export const keyHeaders = (hasKey: boolean): { readonly headers?: { readonly authorization: null } } =>
  hasKey ? {} : { headers: { authorization: null } }

/** What is asked of a server in its own way. */
export interface Manner {
  readonly hasKey: boolean
  readonly maxTokensField: MaxTokensField
  /** A stream is asked for its usage. */
  readonly streamUsage: boolean
}

/** A chat-completions API, as its SDK speaks it. */
export const protocol = ({ hasKey, maxTokensField }: Manner, partial: PartialParse): Protocol<OpenAI> => ({
  requestIdHeader: "x-request-id",
  post: (client, wanted, signal) =>
    client
      .post("/chat/completions", { body: toBody(wanted, maxTokensField), signal, ...keyHeaders(hasKey) })
      .asResponse(),
  decode: (body) => decode(body, partial),
  isEmpty,
  wordsOf,
})
