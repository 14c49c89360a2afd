import * as Predicate from "effect/Predicate"

const NEXT_STEPS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space and try again",
  EDQUOT: "the disk quota is used up; free some space and try again",
  EACCES: "permission denied; give this user access to it or choose another runs folder",
  EPERM: "permission denied; give this user access to it or choose another runs folder",
  EROFS: "the file system is read-only; choose another runs folder",
  ELOOP: "it is a symbolic link, and links are not followed; put a real file or folder there",
  EISDIR: "it is a folder where a file is needed; move it away",
  ENOTDIR: "a part of its path is a file, not a folder; move that away or choose another runs folder",
  ENOENT: "it does not exist; check the path",
  EEXIST: "it exists already; move it away",
  EMFILE: "too many files are open; raise the limit (ulimit -n)",
  ENFILE: "too many files are open on this machine; close some programs",
  EIO: "the disk reported an error; check its health",
  EFBIG: "the file would grow past the allowed size; raise the limit (ulimit -f)",
  ENAMETOOLONG: "its name is too long; choose a shorter run id",
}

/** The operating system's word for what went wrong (`ENOSPC`), when it was the operating system. */
export const code = (cause: unknown): string | undefined =>
  Predicate.hasProperty(cause, "code") && typeof cause.code === "string" ? cause.code : undefined

/** What the innermost of an error and its causes says: drivers and clients wrap it without saying more. */
export const reason = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause instanceof Error ? reason(cause.cause) : cause.message
}

/** One sentence of what could not be done, to which file, why, and what to do next. */
export const explain = (action: string, path: string, cause: unknown): string => {
  const word = code(cause)
  const step = word === undefined ? undefined : NEXT_STEPS[word]
  if (word !== undefined && step !== undefined) return `cannot ${action} ${path}: ${step} (${word})`
  return `cannot ${action} ${path}: ${cause instanceof Error ? cause.message : String(cause)}`
}
