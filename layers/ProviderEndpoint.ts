import * as Either from "effect/Either"
import { type AttemptFailure, failure } from "./AttemptFailure.js"

/** A provider's address and the right to use it. No client: `problem` says why requests cannot be sent. */
export interface Endpoint<Client> {
  readonly baseUrl: string | null
  readonly client: Client | null
  readonly problem: AttemptFailure | null
  /** Texts that no error may hold. */
  readonly secrets: ReadonlyArray<string>
}

interface Address {
  readonly baseUrl: string
  readonly credentials: ReadonlyArray<string>
}

const decoded = (part: string): Either.Either<string, unknown> => Either.try(() => decodeURIComponent(part))

const addressOf = (text: string): Address | null => {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  if (url.protocol !== "https:" && url.protocol !== "http:") return null
  const credentials = [url.username, url.password].filter((part) => part !== "")
  return {
    baseUrl: `${url.origin}${url.pathname}`.replace(/\/+$/, ""),
    credentials: [...credentials, ...credentials.map((part) => Either.getOrElse(decoded(part), () => part))],
  }
}

/** How much longer than the layer an SDK waits: the layer's own timeout is the one that counts. */
const SDK_GRACE_MILLIS = 5000

/** The time limit to give an SDK of which the layer's own is the one that counts. */
export const sdkTimeout = (millis: number): number => Math.min(2 ** 31 - 1, Math.ceil(millis) + SDK_GRACE_MILLIS)

/** An SDK adds the headers of its environment variables, a key among them, to its own and has no option against it. */
export const dropHeadersOfEnvironment = (client: object): void => {
  const options: unknown = Reflect.get(client, "_options")
  if (typeof options === "object" && options !== null) Reflect.deleteProperty(options, "defaultHeaders")
}

export interface EndpointOptions<Client> {
  /** Null where the address is used without one. */
  readonly apiKey: string | null
  readonly baseUrl: string
  /** What to set when the address is none, such as `ANTHROPIC_BASE_URL, such as https://api.anthropic.com`. */
  readonly howToSetUrl: string
  readonly connect: (baseUrl: string, apiKey: string | null) => Client
}

const keyProblem = (key: string | null): AttemptFailure | null => {
  if (key === null || /^[\x21-\x7e]+$/.test(key)) return null
  const detail = key === "" ? "the API key is empty" : "the API key has characters that no key has"
  return failure({ reason: "Authentication", detail })
}

/** What an SDK reads of the environment may be such that it refuses to be made. */
const refused = (cause: unknown): AttemptFailure =>
  failure({
    reason: "InvalidRequest",
    detail: `the SDK refuses its settings: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  })

/** The endpoint of a base URL and a key; nothing is sent. Credentials, query and trailing slashes of the URL are dropped. */
export const make = <Client>({ apiKey, baseUrl, connect, howToSetUrl }: EndpointOptions<Client>): Endpoint<Client> => {
  const key = apiKey?.trim() ?? null
  const address = addressOf(baseUrl)
  const secrets = [key ?? "", apiKey ?? "", ...(address?.credentials ?? [])].filter((secret) => secret !== "")
  if (address === null) {
    const detail = `the base URL is not an http or https address (set ${howToSetUrl})`
    return { baseUrl: null, client: null, problem: failure({ reason: "InvalidRequest", detail }), secrets }
  }
  const unfit = keyProblem(key)
  const client =
    unfit === null ? Either.try({ try: () => connect(address.baseUrl, key), catch: refused }) : Either.left(unfit)
  return Either.match(client, {
    onLeft: (problem): Endpoint<Client> => ({ baseUrl: address.baseUrl, client: null, problem, secrets }),
    onRight: (connected) => ({ baseUrl: address.baseUrl, client: connected, problem: null, secrets }),
  })
}
