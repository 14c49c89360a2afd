import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import * as Chain from "../../src/domain/Chain.js"
import type { ChainedEvent, Event } from "../../src/domain/Event.js"

/** A run's folder, and its log as it was written: whole lines without their newlines, and the events in them. */
export interface Written {
  readonly directory: string
  readonly file: string
  readonly lines: ReadonlyArray<string>
  readonly events: ReadonlyArray<ChainedEvent>
}

/** Writes a run as its owner does, with the cursor at the log's end as after a delivery; `acknowledged: false` leaves none. */
export const write = (runsDir: string, events: ReadonlyArray<Event>, runId = "run-001", acknowledged = true) =>
  Effect.gen(function* () {
    const chained = yield* Effect.gen(function* () {
      const log = yield* EventLog
      const all = yield* Effect.forEach(events, log.append)
      if (acknowledged) yield* log.acknowledge(yield* log.head)
      return all
    }).pipe(
      Effect.provide(
        EventLogNdjson.layer({ durability: "process" }).pipe(
          Layer.provide(CurrentRunFolder.layer({ runsDir, runId, resume: false, config: {} })),
        ),
      ),
    )
    const directory = nodePath.join(runsDir, runId)
    const file = nodePath.join(directory, EventLogNdjson.FILE)
    const lines = fs.readFileSync(file, "utf8").split("\n").slice(0, -1)
    return { directory, file, lines, events: chained } satisfies Written
  })

/** Writes other lines over a log. */
export const replace = ({ file }: Written, lines: ReadonlyArray<string>): void =>
  fs.writeFileSync(file, lines.map((line) => `${line}\n`).join(""))

const unchained = ({ prev_hash: _prev, event_hash: _hash, ...event }: ChainedEvent): Event => event

/** A line that a forger makes, who knows how hashes are made: sound in itself, behind a given hash. */
export const forged = (event: ChainedEvent, lines: number, hash: string): Chain.Link =>
  Chain.link({ lines, hash }, { ...unchained(event), event_id: `forged-${event.event_id}` })

/** A whole log of forged lines: a chain that holds, of events that were changed. */
export const forgery = (events: ReadonlyArray<ChainedEvent>): ReadonlyArray<string> => {
  let head = Chain.empty
  return events.map((event) => {
    const link = forged(event, head.lines, head.hash)
    head = link.head
    return link.line.trimEnd()
  })
}

/** Moves the cursor as a forger does, to the end of the lines that stand there now. */
export const moveCursor = ({ directory }: Written, lines: ReadonlyArray<string>): void => {
  const last = Either.getOrThrow(Chain.parse(lines.at(-1) ?? ""))
  const offset = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0)
  const cursor = { offset, lines: lines.length, hash: last.event_hash }
  fs.writeFileSync(nodePath.join(directory, "telemetry.cursor"), JSON.stringify(cursor))
}

/** The lines of a whole log whose events were changed and kept their ids: a chain that holds. */
export const rewritten = (
  events: ReadonlyArray<ChainedEvent>,
  change: (event: Event, index: number) => Event,
): ReadonlyArray<string> => {
  let head = Chain.empty
  return events.map((event, index) => {
    const link = Chain.link(head, change(unchained(event), index))
    head = link.head
    return link.line.trimEnd()
  })
}
