import * as PlainLine from "./PlainLine.js"

const MOST_CHARACTERS = 300

/** What is no URL may hold credentials all the same: all before the last `@` goes, then what looks like a query or a fragment. */
const bare = (text: string): string => {
  const scheme = /^[a-z][a-z0-9+.-]*:[\\/]+/i.exec(text)?.[0] ?? ""
  const rest = text.slice(scheme.length)
  return scheme + rest.slice(rest.lastIndexOf("@") + 1).replace(/[?#].*$/s, "")
}

const withoutSecrets = (text: string): string => {
  if (!URL.canParse(text)) return bare(text)
  const { origin, pathname, protocol } = new URL(text)
  return protocol === "http:" || protocol === "https:" ? `${origin}${pathname.replace(/\/+$/, "")}` : bare(text)
}

/**
 * An address as it may be told to people and written into a log: without user, password, query and fragment, which may hold
 * secrets, without a slash at the end, in one line of at most 300 characters. What is no URL is shown by the same rule.
 */
export const shown = (url: string): string => PlainLine.of(withoutSecrets(url.trim())).slice(0, MOST_CHARACTERS)

/** What an address looks like. */
export const EXAMPLE = "http://localhost:8765"

const MOST_PORT = 65535

const schemeProblem = (url: string): string | null => {
  const scheme = /^([a-z][a-z0-9+.-]*):[\\/]+/i.exec(url)?.[1]
  if (scheme === undefined) return "it does not begin with http:// or https://"
  return /^https?$/i.test(scheme) ? null : `it begins with ${scheme}:, not with http: or https:`
}

/** Why a text is no address of a server, in words that follow its own; null when it is one. Says nothing of what the text holds beyond scheme and port. */
export const problem = (url: string): string | null => {
  const text = url.trim()
  const scheme = schemeProblem(text)
  if (scheme !== null) return scheme
  if (URL.canParse(text)) return null
  const port = /:(\d+)$/.exec(shown(text).replace(/^([a-z]+:[\\/]+[^\\/]*).*$/i, "$1"))?.[1]
  return port !== undefined && Number(port) > MOST_PORT
    ? `its port ${port.slice(0, 12)} is greater than ${MOST_PORT}`
    : "it is not a URL"
}
