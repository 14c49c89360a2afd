import * as Option from "effect/Option"

const SCP_LIKE = /^(?:[A-Za-z0-9._-]+@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)([^\\]+)$/
const WITH_SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//
const WITH_HELPER = /^[A-Za-z0-9]+::/
const ALLOWED = new Set(["https:", "ssh:", "file:"])

/** Whether a text means a repository elsewhere (allowed or not) and no folder here. */
export const looksRemote = (target: string): boolean =>
  WITH_SCHEME.test(target) || WITH_HELPER.test(target) || (SCP_LIKE.test(target) && target.includes("@"))

const parsed = (target: string): Option.Option<URL> => Option.liftThrowable((text: string) => new URL(text))(target)

/** Whether git may be asked for it: https, ssh (also `git@host:path`) and file, and nothing that git could take for an option. */
export const isAllowed = (target: string): boolean => {
  if (target.startsWith("-") || WITH_HELPER.test(target) || /[\s\p{Cc}]/u.test(target)) return false
  if (!WITH_SCHEME.test(target)) return SCP_LIKE.test(target) && target.includes("@")
  return Option.exists(parsed(target), (url) => ALLOWED.has(url.protocol) && !url.hostname.startsWith("-"))
}

/** The address as it may be shown and kept: no user, password, query or fragment. */
export const shown = (target: string): string => {
  if (!WITH_SCHEME.test(target)) return target.replace(/^[^@/]*@/, "")
  return Option.match(parsed(target), {
    onNone: () => withoutCredentials(target),
    onSome: (url) => `${url.protocol}//${url.host}${url.pathname}`,
  })
}

/** Where the hosts that have pages of commits answer to ssh. */
const WEB_HOSTS: Readonly<Record<string, string>> = {
  "github.com": "github.com",
  "ssh.github.com": "github.com",
  "gitlab.com": "gitlab.com",
  "altssh.gitlab.com": "gitlab.com",
  "bitbucket.org": "bitbucket.org",
  "altssh.bitbucket.org": "bitbucket.org",
}

const webAddress = (host: string, path: string): Option.Option<string> =>
  Option.map(
    Option.fromNullable(Object.hasOwn(WEB_HOSTS, host.toLowerCase()) ? WEB_HOSTS[host.toLowerCase()] : undefined),
    (web) => `https://${web}/${path.replace(/^\/+/, "")}`,
  )

/**
 * The address as a run records it: as {@link shown}, but one name for a repository however it was cloned. On github.com,
 * gitlab.com and bitbucket.org an ssh address becomes the https one, from which pages of commits are made.
 */
export const recorded = (target: string): string => {
  const [, host, path] = WITH_SCHEME.test(target) ? [] : (SCP_LIKE.exec(target) ?? [])
  const web =
    host !== undefined && path !== undefined
      ? webAddress(host, path)
      : Option.flatMap(
          Option.filter(parsed(target), ({ protocol }) => ["ssh:", "http:", "git:"].includes(protocol)),
          (url) => webAddress(url.hostname, url.pathname),
        )
  return Option.getOrElse(web, () => shown(target))
}

/** A text, such as git's own words, with the credentials of every address in it removed. */
export const withoutCredentials = (text: string): string =>
  text
    .replace(/([A-Za-z][A-Za-z0-9+.-]*:\/\/)[^/\s@]*(?:@[^/\s@]*)*@/g, "$1")
    .replace(/(https?:\/\/[^\s?#'"]+)[?#][^\s'"]*/g, "$1")

/** The repository's own name, the last part of its address. */
export const repositoryName = (target: string): string => {
  const path = shown(target)
    .replace(/[/\\]+$/, "")
    .replace(/\.git$/, "")
    .replace(/[/\\]+$/, "")
  return path.split(/[/\\:]/).at(-1) || "repository"
}
