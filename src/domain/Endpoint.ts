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
