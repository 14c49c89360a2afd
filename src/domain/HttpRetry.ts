/** A response's header by its lower-case name; null when it has none. */
export type HeaderLookup = (name: string) => string | null

/**
 * Whether a failed HTTP response of a model provider is worth another try: what `x-should-retry` says, else 408, 409, 429
 * and everything from 500 on (529, overloaded, among them).
 */
export const worthRetrying = (status: number, header: HeaderLookup): boolean => {
  const said = header("x-should-retry")
  if (said === "true") return true
  if (said === "false") return false
  return status === 408 || status === 409 || status === 429 || status >= 500
}

const MAX_WAIT_MILLIS = 24 * 60 * 60 * 1000

const bounded = (millis: number): number | null => (millis >= 0 ? Math.min(millis, MAX_WAIT_MILLIS) : null)

/**
 * How long the server asks to wait, in milliseconds: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date
 * (counted from `nowMillis`, 0 when it has passed); a day at most. Null when it does not say, or not understandably.
 */
export const retryAfterMillis = (header: HeaderLookup, nowMillis: number): number | null => {
  const millis = header("retry-after-ms")
  if (millis !== null && millis.trim() !== "") {
    const parsed = bounded(Number(millis))
    if (parsed !== null) return parsed
  }
  const after = header("retry-after")
  if (after === null || after.trim() === "") return null
  const seconds = Number(after)
  if (!Number.isNaN(seconds)) return bounded(seconds * 1000)
  const date = Date.parse(after)
  return Number.isNaN(date) ? null : bounded(Math.max(0, date - nowMillis))
}
