import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { LogPosition } from "../services/EventLog.js"
import { Sha256 } from "../src/domain/Ids.js"
import * as LogFile from "./LogFile.js"
import * as PrivateFile from "./PrivateFile.js"

/** The file beside a log that says how far the server has acknowledged it. */
export const FILE = "telemetry.cursor"

const MAX_BYTES = 4096

const Cursor = Schema.Struct({
  offset: Schema.NonNegativeInt,
  lines: Schema.NonNegativeInt,
  hash: Sha256,
  held: Schema.optionalWith(Schema.Boolean, { default: () => false }),
})
const decode = Schema.decodeUnknownEither(Schema.parseJson(Cursor))

/** What a cursor file says. `held`: what stands behind the place was recorded offline, and stays until somebody asks for it. */
export interface CursorFile {
  readonly position: LogPosition
  readonly held: boolean
}

/**
 * A cursor as it stands in its file, or why it cannot be used; `undefined` when nobody wrote one, as beside a log that was never
 * meant for a server. Rejects when unreadable.
 */
export const read = async (path: string): Promise<Either.Either<CursorFile, string> | undefined> => {
  const text = await PrivateFile.read(path, MAX_BYTES)
  if (text === undefined) return undefined
  return Either.mapBoth(decode(text), {
    onLeft: () => "it is not a cursor",
    onRight: ({ held, ...position }) => ({ position, held }),
  })
}

/** Writes it whole and durably. */
export const write = ({ offset, lines, hash }: LogPosition, path: string, held = false): Promise<void> =>
  PrivateFile.replace(path, `${JSON.stringify({ offset, lines, hash, ...(held ? { held } : {}) })}\n`, "power")

/** Why a position is no place of this log; `undefined` when it is one. Throws when the log cannot be read. */
export const misfit = (fd: number, position: LogPosition, head: LogPosition): string | undefined => {
  if (position.offset > head.offset) return `it stands at byte ${position.offset}, the log ends at ${head.offset}`
  if (LogFile.hashEndingAt(fd, position.offset) !== position.hash) return "the line that it names is not in the log"
  return LogFile.countLines(fd, position.offset) === position.lines ? undefined : "its line count is wrong"
}
