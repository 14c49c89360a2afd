import * as fs from "node:fs/promises"
import * as nodePath from "node:path"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { fromMillis } from "../src/domain/Timestamp.js"
import * as FileProblem from "./FileProblem.js"
import * as Folder from "./Folder.js"
import * as PrivateFile from "./PrivateFile.js"

/** The price file could not be put in its place; what was there still is. */
export class PriceInstallError extends Data.TaggedError("PriceInstallError")<{
  readonly path: string
  readonly message: string
  readonly cause: unknown
}> {}

const MOST_BYTES = 16 * 1024 * 1024

const previous = async (path: string): Promise<string | undefined> => {
  try {
    return await fs.readFile(path, "utf8")
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined
    throw cause
  }
}

const put = async (from: string, path: string, now: string): Promise<{ readonly backup: string | null }> => {
  const text = await PrivateFile.read(from, MOST_BYTES)
  if (text === undefined) throw new Error(`${from} is not there any more`)
  Folder.ensure(nodePath.dirname(path), PrivateFile.FOLDER_MODE)
  const before = await previous(path)
  const backup = before === undefined ? null : `${path}.${now.replaceAll(":", "-")}.bak`
  if (before !== undefined && backup !== null) await PrivateFile.create(backup, before)
  await PrivateFile.replace(path, text, "power")
  return { backup }
}

/**
 * Puts a price file that was checked before where the user's own is: whole or not at all, mode 0600. What was there is kept beside
 * it under the instant of the change; nothing is changed when it cannot be kept.
 */
export const install = (
  from: string,
  path: string,
): Effect.Effect<{ readonly backup: string | null }, PriceInstallError> =>
  Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.tryPromise({
      try: () => put(from, path, fromMillis(now)),
      catch: (cause) =>
        new PriceInstallError({
          path,
          message: `${path} could not be replaced by ${from} (${FileProblem.reason(cause)}). Nothing was changed; check the folder, or name another file in RUNLEDGER_PRICES.`,
          cause,
        }),
    }),
  )
