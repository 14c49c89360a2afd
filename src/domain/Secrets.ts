const MASK = "[secret]"

/** A text without the given secrets, longest first so that none leaves a part of another. Secrets under 4 characters stay. */
export const mask = (text: string, secrets: ReadonlyArray<string>): string =>
  [...secrets]
    .filter((secret) => secret.length >= 4)
    .sort((left, right) => right.length - left.length)
    .reduce((masked, secret) => masked.replaceAll(secret, MASK), text)

const MAX_DEPTH = 4

/**
 * A copy of an error that may be shown: name, message, stack, code and causes without the secrets, and nothing else of it
 * (an SDK's error may hold headers and bodies).
 */
export const maskedError = (error: unknown, secrets: ReadonlyArray<string>, depth = 0): Error => {
  if (!(error instanceof Error)) return new Error(mask(String(error), secrets))
  const copy = new Error(mask(error.message, secrets))
  copy.name = error.name
  if (error.stack !== undefined) copy.stack = mask(error.stack, secrets)
  if (error.cause !== undefined && depth < MAX_DEPTH) copy.cause = maskedError(error.cause, secrets, depth + 1)
  if ("code" in error && typeof error.code === "string") Object.assign(copy, { code: error.code })
  return copy
}
