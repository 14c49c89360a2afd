import { isDeepStrictEqual } from "node:util"
import * as Fields from "./RunsModelFields.js"
import { type Json, own, REFUSED } from "./RunsModelFields.js"

/** A run as the contract says that it must be read back. */
export interface ModelRow {
  fields: Json
  /** Whether its ending is one that nobody reported. */
  inferred: boolean
  /** Whether it changed since it was created. */
  touched: boolean
  /** Between which instants it was received, in epoch milliseconds. */
  readonly received: readonly [from: number, to: number]
}

/** What an answer must be: one of some codes, and a body of which some members are known. */
export interface Expected {
  readonly statuses: ReadonlyArray<number>
  readonly body?: Json | undefined
}

interface Waiting {
  readonly value: Json
  readonly text: string
}

const only = (status: number, body?: Json): Expected => ({ statuses: [status], body })
const INVALID = only(422)
const MALFORMED = only(400)

/** Deeper than this, a body as a whole is refused; a body of rows is refused a row at a time long before. */
const NESTING = 100
const ROWS_NESTING = 1000
const MOST_ROWS = 1000

const CLIENT_COUNTS = ["backlog", "dropped", "dead_letters"]
const HEX = { trace_id: /^[0-9a-f]{32}$/, span_id: /^[0-9a-f]{16}$/ }

const isCount = (value: unknown): boolean => typeof value === "number" && Number.isSafeInteger(value) && value >= 0

const isText = (value: unknown): value is string => typeof value === "string"

const isWord = (value: unknown): boolean => isText(value) && value !== ""

/** The two kinds of event that the fuzz knows how to make whole; any other that it makes is broken. */
const isPayload = (type: unknown, payload: unknown): boolean => {
  if (!Fields.isObject(payload)) return false
  if (type === "ISSUE_OPENED")
    return isWord(own(payload, "issue_id")) && isText(own(payload, "kind")) && isText(own(payload, "message"))
  return type === "TELEMETRY_GAP" && isCount(own(payload, "dropped")) && isText(own(payload, "reason"))
}

const isEvent = (value: unknown): value is Json =>
  Fields.isObject(value) &&
  Fields.id(own(value, "event_id")) !== REFUSED &&
  isWord(own(value, "run_id")) &&
  isText(own(value, "ts")) &&
  HEX.trace_id.test(String(own(value, "trace_id"))) &&
  HEX.span_id.test(String(own(value, "span_id"))) &&
  isPayload(own(value, "type"), own(value, "payload"))

const isFlag = (value: unknown): boolean => value === undefined || typeof value === "boolean"

/**
 * The contract of the server's writes, in memory and without any of the server's own code: what is kept of a body, and what is
 * answered. One model stands for one client; several clients that share no id may be put beside each other.
 */
export class RunsModel {
  readonly rows = new Map<string, ModelRow>()
  /** Texts of events by run, in the order in which they came. */
  readonly events = new Map<string, Array<string>>()
  /** What was last said of a client's drops, by run. */
  readonly reports = new Map<string, Record<string, number>>()
  readonly #waiting = new Map<string, Array<Waiting>>()
  readonly #eventIds = new Set<string>()

  /** Updates that wait for their create. */
  get waiting(): number {
    let all = 0
    for (const updates of this.#waiting.values()) all += updates.length
    return all
  }

  #create(fields: Json, received: readonly [number, number]): "created" | "duplicate" {
    const eventId = String(fields["event_id"])
    if (this.rows.has(eventId)) return "duplicate"
    const row: ModelRow = { fields, inferred: false, touched: false, received }
    this.rows.set(eventId, row)
    for (const { value } of this.#waiting.get(eventId) ?? []) this.#update(row, value, false)
    this.#waiting.delete(eventId)
    return "created"
  }

  /** Whether an update is taken, and whether it changed anything. */
  #update(row: ModelRow, update: Json, byHand: boolean): "updated" | "duplicate" | "ignored" {
    const patch = Fields.patch(update) ?? {}
    const guess = own(update, "inferred") === true
    const hasEnded = row.fields["status"] !== "running"
    if (hasEnded && guess && !row.inferred) return "ignored"
    const goesBack = hasEnded && patch["status"] === "running"
    const mayGoBack = own(update, "reopen") === true || (row.inferred && !guess)
    if (goesBack && !mayGoBack) return "ignored"
    const correctsGuess = row.inferred && hasEnded && patch["status"] !== undefined && !guess
    const undone = correctsGuess ? { end_time: null, duration_ms: 0, error_summary: null, error_details: null } : {}
    const next = { ...row.fields, ...undone, ...patch }
    const inferred = patch["status"] === undefined ? row.inferred : guess && patch["status"] !== "running"
    const changed = inferred !== row.inferred || JSON.stringify(next) !== JSON.stringify(row.fields)
    row.fields = next
    row.inferred = inferred
    row.touched ||= changed || byHand
    return changed ? "updated" : "duplicate"
  }

  /** `POST /api/v1/runs`. */
  post(body: unknown, received: readonly [number, number]): Expected {
    if (Fields.depth(body) > NESTING) return MALFORMED
    const fields = Fields.created(body)
    if (fields === undefined) return INVALID
    const status = this.#create(fields, received)
    const { event_id } = fields
    // A run that is known answers with what was sent, not with what is kept.
    return only(status === "created" ? 201 : 200, { status, event_id, run_id: fields["run_id"] })
  }

  /** `POST /api/v1/runs/batch`. */
  batch(body: unknown, received: readonly [number, number]): Expected {
    if (Fields.depth(body) > ROWS_NESTING) return MALFORMED
    const rows = Array.isArray(body) ? body : Fields.isObject(body) ? own(body, "runs") : undefined
    if (!Array.isArray(rows) || rows.length > MOST_ROWS) return INVALID
    const outcomes = rows.map((row) => {
      const fields = Fields.created(row)
      return fields === undefined ? "error" : this.#create(fields, received)
    })
    const of = (outcome: string): number => outcomes.filter((one) => one === outcome).length
    return only(Array.isArray(body) ? 200 : 201, {
      inserted: of("created"),
      duplicates: of("duplicate"),
      "errors.length": of("error"),
      total: rows.length,
    })
  }

  /** `PATCH /api/v1/runs/{event_id}`. */
  patch(eventId: string, body: unknown): Expected {
    if (Fields.depth(body) > NESTING) return MALFORMED
    const patch = Fields.patch(body)
    if (patch === undefined) return INVALID
    if (Object.keys(patch).length === 0) return MALFORMED
    const row = this.rows.get(eventId)
    if (row === undefined) return only(404)
    const outcome = this.#update(row, patch, true)
    return only(200, {
      event_id: eventId,
      updated: outcome !== "ignored",
      "fields_updated.length": outcome === "ignored" ? 0 : Object.keys(patch).length,
    })
  }

  /** `POST /api/v1/runs/{event_id}/associate-commit`. */
  associate(eventId: string, body: unknown, propagate: boolean): Expected {
    if (Fields.depth(body) > NESTING) return MALFORMED
    if (!Fields.isObject(body) || Fields.isFlawed(body)) return INVALID
    const hash = own(body, "commit_hash")
    const source = own(body, "commit_source")
    const author = own(body, "commit_author") ?? null
    const timestamp = Fields.instant(own(body, "commit_timestamp") ?? null)
    if (!isText(hash) || !/^[0-9a-f]{7,40}$/i.test(hash) || !["manual", "llm", "ci"].includes(String(source)))
      return INVALID
    if ((author !== null && !isText(author)) || !isText(source) || timestamp === REFUSED) return INVALID
    const row = this.rows.get(eventId)
    if (row === undefined) return only(404)
    for (const each of propagate ? this.#below(row) : [row]) {
      const next = {
        ...each.fields,
        git_commit_hash: hash,
        git_commit_source: source,
        ...(author === null ? {} : { git_commit_author: author }),
        ...(timestamp === null ? {} : { git_commit_timestamp: timestamp }),
      }
      if (isDeepStrictEqual(next, each.fields)) continue
      each.fields = next
      each.touched = true
    }
    return only(200, { status: "success", event_id: eventId, run_id: row.fields["run_id"], commit_hash: hash })
  }

  /** A row and every row that its run started, directly or not. */
  #below(row: ModelRow): ReadonlySet<ModelRow> {
    const runs = new Set([row.fields["run_id"]])
    const found = new Set([row])
    for (let before = -1; before !== found.size; ) {
      before = found.size
      for (const other of this.rows.values()) {
        if (!runs.has(other.fields["parent_run_id"])) continue
        found.add(other)
        runs.add(other.fields["run_id"])
      }
    }
    return found
  }

  /** `POST /api/v1/ops`. */
  ops(body: unknown, received: readonly [number, number]): Expected {
    if (Fields.depth(body) > ROWS_NESTING) return MALFORMED
    const ops = Fields.isObject(body) ? own(body, "ops") : undefined
    if (!Array.isArray(ops) || ops.length > MOST_ROWS) return INVALID
    this.#report(Fields.isObject(body) ? own(body, "client") : undefined)
    return only(200, { "results.status": ops.map((op) => this.#perform(op, received)) })
  }

  #perform(operation: unknown, received: readonly [number, number]): string {
    if (!Fields.isObject(operation) || Fields.isFlawed(operation)) return "error"
    const kind = own(operation, "op")
    if (kind === "create") {
      const fields = Fields.created(operation)
      return fields === undefined ? "error" : this.#create(fields, received)
    }
    const eventId = Fields.id(own(operation, "event_id"))
    if (!isText(eventId)) return "error"
    if (kind === "event") return this.#keep(eventId, own(operation, "event"))
    if (kind !== "update" || Fields.patch(operation) === undefined) return "error"
    if (!isFlag(own(operation, "reopen")) || !isFlag(own(operation, "inferred"))) return "error"
    const row = this.rows.get(eventId)
    return row === undefined ? this.#wait(eventId, operation) : this.#update(row, operation, false)
  }

  #wait(eventId: string, value: Json): string {
    const all = this.#waiting.get(eventId) ?? []
    const text = JSON.stringify(value)
    // The same update, told twice, waits once.
    if (!all.some((one) => one.text === text)) all.push({ value, text })
    this.#waiting.set(eventId, all)
    return "pending"
  }

  #keep(eventId: string, event: unknown): string {
    if (!isEvent(event)) return "error"
    if (this.#eventIds.has(eventId)) return "duplicate"
    this.#eventIds.add(eventId)
    const runId = String(event["run_id"])
    this.events.set(runId, [...(this.events.get(runId) ?? []), JSON.stringify(event)])
    return "stored"
  }

  #report(client: unknown): void {
    if (!Fields.isObject(client)) return
    const runId = own(client, "run_id") ?? null
    const counts = CLIENT_COUNTS.map((name) => [name, own(client, name)] as const)
    if ((runId !== null && !isText(runId)) || counts.some(([, said]) => said !== undefined && !isCount(said))) return
    if (runId === null && counts.every(([, said]) => said === undefined)) return
    const before = this.reports.get(runId ?? "") ?? {}
    const said = counts.flatMap(([name, value]) => (typeof value === "number" ? [[name, value] as const] : []))
    this.reports.set(runId ?? "", { ...before, ...Object.fromEntries(said) })
  }
}
