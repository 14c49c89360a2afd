const COMMIT_PATHS: Readonly<Record<string, string>> = {
  "github.com": "commit",
  "gitlab.com": "-/commit",
  "bitbucket.org": "commits",
}

const SEGMENT = /^[A-Za-z0-9._~-]+$/
const COMMIT = /^[0-9a-f]{7,40}$/i

interface Repository {
  readonly host: string
  readonly path: string
}

const isSegment = (segment: string): boolean => SEGMENT.test(segment) && segment !== "." && segment !== ".."

const repository = (gitRepo: string): Repository | undefined => {
  const match = /^https:\/\/([^/?#@:\\\s]+)\/([^?#\\\s]+)$/i.exec(gitRepo)
  const host = match?.[1]?.toLowerCase()
  if (host === undefined || !Object.hasOwn(COMMIT_PATHS, host)) return undefined
  const segments = (match?.[2] ?? "")
    .replace(/\/$/, "")
    .replace(/\.git$/, "")
    .split("/")
  if (segments.length < 2 || (segments.length > 2 && host !== "gitlab.com")) return undefined
  if (!segments.every(isSegment)) return undefined
  return { host, path: segments.join("/") }
}

/**
 * The page of a repository, or null. Only `https` addresses whose host is exactly github.com, gitlab.com or bitbucket.org
 * have one: whatever a client wrote into `git_repo`, no other link is ever made of it.
 */
export const repoUrl = (gitRepo: string | null): string | null => {
  const found = gitRepo === null ? undefined : repository(gitRepo)
  return found === undefined ? null : `https://${found.host}/${found.path}`
}

/** The page of a commit, or null where the repository has none or the hash is not 7 to 40 hex digits. */
export const commitUrl = (gitRepo: string | null, commitHash: string | null): string | null => {
  const found = gitRepo === null ? undefined : repository(gitRepo)
  if (found === undefined || commitHash === null || !COMMIT.test(commitHash)) return null
  return `https://${found.host}/${found.path}/${COMMIT_PATHS[found.host]}/${commitHash}`
}
