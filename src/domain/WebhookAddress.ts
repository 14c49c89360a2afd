/** Where a webhook may go. The rest of an address may be a secret and is never shown. */
const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"])

/** Why a text is no address that alerts may be sent to, in words that follow its setting's name; null when it is one. */
export const problem = (text: string): string | null => {
  if (!URL.canParse(text)) return "it is not a URL"
  const { hostname, password, protocol, username } = new URL(text)
  if (username !== "" || password !== "") return "it holds a user or a password, which would not be sent"
  if (protocol === "https:") return null
  if (protocol === "http:") {
    return LOOPBACK.has(hostname) ? null : "plain http goes only to this machine (localhost); use https"
  }
  return "it begins neither with https: nor with http:"
}

/** The part of an address that may be shown: scheme, host and port. */
export const shown = (url: string): string => (URL.canParse(url) ? new URL(url).origin : "an address that is no URL")
