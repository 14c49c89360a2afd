import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { EventLogError } from "../../services/EventLog.js"
import { type Acknowledged, type AcknowledgedHead, compare } from "../domain/Acknowledged.js"
import type { CursorNote } from "../domain/LogAudit.js"
import * as Received from "../domain/Received.js"
import { checkFailed, failure } from "./CommandError.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import { printJson } from "./Reading.js"
import type { VerifyOptions } from "./VerifyCommand.js"
import * as VerifyReport from "./VerifyReport.js"
import * as VerifyServer from "./VerifyServer.js"
import * as VerifyTarget from "./VerifyTarget.js"
import { Wiring } from "./Wiring.js"

const unreadable = (error: EventLogError) => failure(error.message, error)

const cursorHead = (cursor: CursorNote): Option.Option<AcknowledgedHead> =>
  cursor.kind === "known" ? Option.some({ source: "cursor", lines: cursor.lines, hash: cursor.hash }) : Option.none()

const withoutCursor = (cursor: CursorNote): ReadonlyArray<string> => {
  switch (cursor.kind) {
    case "known":
      return []
    case "none":
      return ["a cursor: there is none, nothing of this run was sent to a server"]
    case "unusable":
      return [`the cursor: ${cursor.problem}`]
  }
}

const withoutServer = (server: VerifyServer.ServerSide): ReadonlyArray<string> => {
  if (server.kind !== "asked") return [`a server: ${server.why}`]
  return Either.isLeft(server.events) ? [`every event of the server, only with its last: ${server.events.left}`] : []
}

/** What all of the server's events prove goes before what its last one alone does. */
const withEvents = (found: Acknowledged, received: Received.Received | null): Acknowledged =>
  found.source === "server" && received !== null ? { ...found, problem: Received.problemOf(received) } : found

/** Whoever acknowledged is asked before the log is read: a log that still grows is then never behind what they say. */
const verified = (options: VerifyOptions) =>
  Effect.gen(function* () {
    const wiring = yield* Wiring
    const env = yield* Environment.load
    const file = yield* VerifyTarget.logOf(options.runDir, Environment.runsDirOf(Option.none(), env))
    const surroundings = yield* Effect.mapError(wiring.surroundings(file), unreadable)
    const server = yield* Effect.mapError(VerifyServer.remembered(file, surroundings.runIds, env, options), unreadable)
    const heads = [
      ...Option.toArray(cursorHead(surroundings.cursor)),
      ...(server.kind === "asked" ? [server.head] : []),
    ]
    const received = server.kind === "asked" ? Either.getOrNull(server.events) : null
    const hashes = heads.map(({ hash }) => hash)
    const audit = yield* Effect.mapError(wiring.audit(file, hashes), unreadable)
    return {
      file,
      audit,
      surroundings,
      acknowledged: heads.map((head) => withEvents(compare(head, audit), received)),
      received,
      repriced: server.kind === "asked" ? server.repriced : 0,
      notCompared: [...withoutCursor(surroundings.cursor), ...withoutServer(server)],
    } satisfies VerifyReport.Verified
  })

/**
 * `verify`: what does not hold of a log, line by line, and against what its cursor and the server remember of it; exit code 3
 * when something does not.
 */
export const program = (options: VerifyOptions) =>
  Effect.gen(function* () {
    const found = yield* verified(options)
    yield* options.json
      ? printJson(VerifyReport.document(found))
      : Console.log(VerifyReport.render(yield* Dress.style, found))
    if (VerifyReport.problems(found).length > 0) return yield* checkFailed(VerifyReport.verdict(found))
  })
