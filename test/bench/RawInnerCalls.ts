import type Database from "better-sqlite3"
import { CALL, type Cell, type Held, type Rows } from "./RawRows.js"

interface Count {
  readonly calls: number
}

/** Which calls bear tokens and cost: those inside of which no other call ran. */
export const make = (database: Database.Database, rows: Rows, hold: (row: ReadonlyArray<Cell>) => Held) => {
  const [JOB_TYPE, RUN_ID, PARENT] = [rows.place("job_type"), rows.place("run_id"), rows.place("parent_run_id")]
  const [TRACE, SPAN, PARENT_SPAN] = [rows.place("trace_id"), rows.place("span_id"), rows.place("parent_span_id")]
  const [BEARS, EVENT_ID] = [rows.place("bears"), rows.place("event_id")]
  const countOf = database.prepare<[string], Count>("SELECT calls FROM inner_calls WHERE place = ?")
  const add = database.prepare(
    "INSERT INTO inner_calls (place, calls) VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET calls = calls + excluded.calls",
  )
  const bySpan = database
    .prepare<[Cell, Cell], ReadonlyArray<Cell>>(
      "SELECT * FROM runs WHERE job_type = 'llm_call' AND span_id = ? AND trace_id IS ?",
    )
    .raw(true)
  const byRun = database
    .prepare<[Cell], ReadonlyArray<Cell>>("SELECT * FROM runs WHERE run_id = ? AND job_type = 'llm_call'")
    .raw(true)

  const spanPlace = (trace: Cell | undefined, span: Cell | undefined): string | null =>
    typeof span !== "string" ? null : typeof trace === "string" ? `s${trace.length}:${trace}${span}` : `s:${span}`
  const runPlace = (run: Cell | undefined): string | null => (typeof run === "string" ? `r${run}` : null)
  const own = (cells: ReadonlyArray<Cell>) => [spanPlace(cells[TRACE], cells[SPAN]), runPlace(cells[RUN_ID])]
  const outer = (cells: ReadonlyArray<Cell>) => [spanPlace(cells[TRACE], cells[PARENT_SPAN]), runPlace(cells[PARENT])]

  /** Counts the new calls of a request, and takes in the rows that they ran inside of. */
  return (held: Map<string, Held>): void => {
    const created = [...held.values()].filter(({ before, cells }) => before === null && cells[JOB_TYPE] === CALL)
    if (created.length === 0) return
    const counts = new Map<string, number>()
    const known = (place: string): number => {
      const found = counts.get(place) ?? countOf.get(place)?.calls ?? 0
      counts.set(place, found)
      return found
    }
    const more = new Map<string, { times: number; readonly cells: ReadonlyArray<Cell>; readonly isSpan: boolean }>()
    for (const { cells } of created) {
      for (const [index, place] of outer(cells).entries()) {
        if (place === null) continue
        const entry = more.get(place)
        if (entry === undefined) more.set(place, { times: 1, cells, isSpan: index === 0 })
        else entry.times += 1
      }
    }
    for (const [place, { times, cells, isSpan }] of more) {
      const before = known(place)
      counts.set(place, before + times)
      add.run(place, times)
      if (before >= 2) continue
      const enclosing = isSpan
        ? bySpan.all(cells[PARENT_SPAN] ?? null, cells[TRACE] ?? null)
        : byRun.all(cells[PARENT] ?? null)
      for (const row of enclosing) {
        const id = String(row[EVENT_ID])
        if (!held.has(id)) held.set(id, hold(row))
      }
    }
    for (const one of held.values()) {
      if (one.cells[JOB_TYPE] !== CALL) continue
      const outside = outer(one.cells)
      const encloses = own(one.cells).some(
        (place, index) => place !== null && known(place) > (outside[index] === place ? 1 : 0),
      )
      const now = encloses ? 0 : 1
      if (one.cells[BEARS] === now) continue
      one.cells[BEARS] = now
      one.dirty = true
    }
  }
}
