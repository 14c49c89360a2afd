import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"

/** Flushes a file to the disk for many waiters at once. */
export interface GroupSync<E> {
  /**
   * Returns when everything written before the call is on the disk. Those who wait while a flush runs share the next one.
   * After a failed flush it fails for good: what the operating system dropped then cannot be told from what it kept.
   */
  readonly wait: Effect.Effect<void, E>
  /** Returns when no flush is running. */
  readonly idle: Effect.Effect<void>
}

/** The flushes of one descriptor; `onError` says what a failed one means. */
export const make = <E>(fd: number, onError: (cause: unknown) => E): GroupSync<E> => {
  type Resume = (result: Effect.Effect<void, E>) => void
  let running = false
  let broken: Effect.Effect<never, E> | undefined
  let waiting: Array<Resume> = []
  let watching: Array<() => void> = []

  const settle = (group: ReadonlyArray<Resume>, cause: NodeJS.ErrnoException | null): void => {
    running = false
    if (cause !== null) broken = Effect.fail(onError(cause))
    for (const resume of group) resume(broken ?? Effect.void)
    start()
    if (running) return
    for (const resume of watching) resume()
    watching = []
  }

  const start = (): void => {
    if (running || waiting.length === 0) return
    const group = waiting
    waiting = []
    running = true
    fs.fdatasync(fd, (cause) => settle(group, cause))
  }

  return {
    wait: Effect.async<void, E>((resume) => {
      if (broken !== undefined) return resume(broken)
      waiting.push(resume)
      start()
    }),
    idle: Effect.async<void>((resume) => {
      if (!running) return resume(Effect.void)
      watching.push(() => resume(Effect.void))
    }),
  }
}

/** Makes the names in a folder durable. Throws; file systems that cannot flush a folder are left in peace. */
export const syncFolder = (path: string): void => {
  try {
    PrivateFile.flush(path)
  } catch (cause) {
    if (!["EINVAL", "EISDIR"].includes(FileProblem.code(cause) ?? "")) throw cause
  }
}

/** The folders above a folder, on its own file system. */
const above = (path: string): ReadonlyArray<string> => {
  const parent = nodePath.dirname(path)
  return parent !== path && fs.statSync(parent).dev === fs.statSync(path).dev ? [parent, ...above(parent)] : []
}

const isDenied = (cause: unknown): boolean => ["EACCES", "EPERM"].includes(FileProblem.code(cause) ?? "")

/**
 * Makes the names in a folder durable, and its own name and those above it, whoever made them: up to where the file system is
 * mounted. Folders above it that this process may not read are left out: another user's, which stood there before. Throws.
 */
export const syncFolders = (path: string): void => {
  const folder = fs.realpathSync(path)
  syncFolder(folder)
  for (const parent of above(folder)) {
    try {
      syncFolder(parent)
    } catch (cause) {
      if (!isDenied(cause)) throw cause
    }
  }
}
