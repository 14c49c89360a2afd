import { createHmac } from "node:crypto"

/** One message to a webhook, in the form of the Standard Webhooks specification. */
export interface WebhookMessage {
  /** The same in every attempt: a receiver knows a repetition by it. */
  readonly id: string
  readonly body: string
}

const STANDARD_SECRET = "whsec_"

/** A secret of the standard's own form is base64 behind its prefix; any other text stands for its UTF-8 bytes. */
const keyOf = (secret: string): Buffer =>
  secret.startsWith(STANDARD_SECRET)
    ? Buffer.from(secret.slice(STANDARD_SECRET.length), "base64")
    : Buffer.from(secret, "utf8")

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Why a secret cannot sign, in words that follow its setting's name; null when it can. An empty key would sign what anybody can sign. */
export const secretProblem = (secret: string): string | null => {
  if (!secret.startsWith(STANDARD_SECRET)) return null
  const isBase64 = BASE64.test(secret.slice(STANDARD_SECRET.length))
  return isBase64 && keyOf(secret).length > 0 ? null : `what follows ${STANDARD_SECRET} is not base64`
}

/** HMAC-SHA256 over `id.timestamp.body` with the secret, base64: what stands behind `v1,` in `webhook-signature`. */
export const signature = (message: WebhookMessage, seconds: number, secret: string): string =>
  createHmac("sha256", keyOf(secret)).update(`${message.id}.${seconds}.${message.body}`, "utf8").digest("base64")

/** The headers of one attempt, made at `seconds` of the epoch; without a secret it is not signed. */
export const headers = (
  message: WebhookMessage,
  seconds: number,
  secret: string | undefined,
): Readonly<Record<string, string>> => ({
  "webhook-id": message.id,
  "webhook-timestamp": String(seconds),
  ...(secret === undefined ? {} : { "webhook-signature": `v1,${signature(message, seconds, secret)}` }),
})
