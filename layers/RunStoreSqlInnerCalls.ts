import { CALL_JOB_TYPE } from "../src/domain/CallMeasure.js"
import * as Batch from "./RunStoreSqlBatch.js"
import { type Cell, type Cells, placeOf, type Row, withCells } from "./RunStoreSqlRows.js"
import { insertion, type Statements } from "./RunStoreSqlStatements.js"

const JOB_TYPE = placeOf("job_type")
const RUN_ID = placeOf("run_id")
const PARENT_RUN = placeOf("parent_run_id")
const TRACE = placeOf("trace_id")
const SPAN = placeOf("span_id")
const PARENT_SPAN = placeOf("parent_span_id")
const BEARS = placeOf("bears")

/** Something that calls can run inside of: a span of a trace, or a run. */
type Place = string

const spanPlace = (trace: Cell | undefined, span: Cell | undefined): Place | null =>
  typeof span !== "string" ? null : typeof trace === "string" ? `s${trace.length}:${trace}${span}` : `s:${span}`

const runPlace = (run: Cell | undefined): Place | null => (typeof run === "string" ? `r${run}` : null)

const isCall = (cells: Cells): boolean => cells[JOB_TYPE] === CALL_JOB_TYPE

/** The places that a call is. */
const ownPlaces = (cells: Cells): ReadonlyArray<Place | null> => [
  spanPlace(cells[TRACE], cells[SPAN]),
  runPlace(cells[RUN_ID]),
]

/** The places that a call is directly inside of. */
const outerPlaces = (cells: Cells): ReadonlyArray<Place | null> => [
  spanPlace(cells[TRACE], cells[PARENT_SPAN]),
  runPlace(cells[PARENT_RUN]),
]

const PLACED = [TRACE, SPAN, PARENT_SPAN, RUN_ID, PARENT_RUN]

const hasMoved = ({ before, cells }: Batch.Held): boolean =>
  before === null || PLACED.some((place) => before[place] !== cells[place])

type Counts = Map<Place, number>

const put = (counts: Counts, place: Place | null, times: number): void => {
  if (place !== null) counts.set(place, (counts.get(place) ?? 0) + times)
}

/** How many calls more or fewer run inside of which place. */
export const differences = (
  changes: Iterable<{ readonly before: Cells | null; readonly after: Cells | null }>,
): Counts => {
  const found: Counts = new Map()
  for (const { before, after } of changes) {
    if (before !== null && isCall(before)) for (const place of outerPlaces(before)) put(found, place, -1)
    if (after !== null && isCall(after)) for (const place of outerPlaces(after)) put(found, place, 1)
  }
  for (const [place, times] of found) if (times === 0) found.delete(place)
  return found
}

/** Whether a row bears tokens and cost: a call does when no other one ran inside of it, anything else always. */
export const bears = (cells: Cells, counts: ReadonlyMap<Place, number>): 0 | 1 => {
  if (!isCall(cells)) return 1
  const outer = outerPlaces(cells)
  const enclosesOne = ownPlaces(cells).some(
    (place, index) => place !== null && (counts.get(place) ?? 0) > (outer[index] === place ? 1 : 0),
  )
  return enclosesOne ? 0 : 1
}

/** The places whose counts decide whether a row bears. */
export const deciding = (cells: Cells): ReadonlyArray<Place> =>
  isCall(cells) ? ownPlaces(cells).filter((place) => place !== null) : []

/** None, one or several: a call that is its own parent is the one that does not count for it. */
const level = (count: number): number => Math.min(count, 2)

const ENCLOSING_SPAN = `SELECT * FROM runs WHERE job_type = '${CALL_JOB_TYPE}' AND span_id = ? AND trace_id IS ? AND bears = ?`
/** The plus keeps SQLite, which knows nothing of how many rows there are of a kind, from looking at all calls. */
const ENCLOSING_RUN = `SELECT * FROM runs WHERE run_id = ? AND +job_type = '${CALL_JOB_TYPE}' AND bears = ?`

interface Crossed {
  readonly place: Place
  /** Calls that bear now may no longer do so, or the other way round. */
  readonly bearing: 0 | 1
}

const unspan = (place: Place): readonly [span: string, trace: string | null] => {
  const colon = place.indexOf(":")
  const length = Number(place.slice(1, colon))
  const rest = place.slice(colon + 1)
  return colon === 1 ? [rest, null] : [rest.slice(length), rest.slice(0, length)]
}

/**
 * Keeps, for every span and run, how many calls ran directly inside of it, and with that which calls bear tokens and cost.
 * To be used in the transaction that writes the rows.
 */
export const make = (statements: Statements) => {
  const addCounts = insertion(statements, {
    table: "inner_calls",
    columns: ["place", "calls"],
    after: "ON CONFLICT (place) DO UPDATE SET calls = calls + excluded.calls",
  })

  const load = (places: Iterable<Place>): Counts => {
    const wanted = [...new Set(places)]
    if (wanted.length === 0) return new Map()
    const rows = statements.rows<{ readonly place: string; readonly calls: number }>(
      "SELECT place, calls FROM inner_calls WHERE place IN (SELECT value FROM json_each(?))",
      [JSON.stringify(wanted)],
    )
    return new Map(rows.map(({ place, calls }) => [place, calls]))
  }

  /** Adds to the counts that are kept. */
  const save = (changed: Counts): void => {
    if (changed.size === 0) return
    addCounts([...changed])
    const fewer = [...changed].flatMap(([place, times]) => (times < 0 ? [place] : []))
    if (fewer.length === 0) return
    statements.run("DELETE FROM inner_calls WHERE calls = 0 AND place IN (SELECT value FROM json_each(?))", [
      JSON.stringify(fewer),
    ])
  }

  const enclosing = ({ place, bearing }: Crossed): ReadonlyArray<Row> =>
    place.startsWith("s")
      ? statements.rows<Row>(ENCLOSING_SPAN, [...unspan(place), bearing])
      : statements.rows<Row>(ENCLOSING_RUN, [place.slice(1), bearing])

  /** Takes the rows in that are at a place, unless the batch holds them or removes them. */
  const takeIn = (
    rows: Map<string, Batch.Held>,
    crossed: ReadonlyArray<Crossed>,
    removed: ReadonlyMap<string, unknown>,
  ): void => {
    for (const one of crossed) {
      for (const row of enclosing(one)) {
        const id = row["event_id"]
        if (typeof id === "string" && !rows.has(id) && !removed.has(id)) rows.set(id, Batch.hold(row))
      }
    }
  }

  const isConcerned = (held: Batch.Held, places: ReadonlySet<Place>): boolean =>
    hasMoved(held) || (places.size > 0 && deciding(held.cells).some((place) => places.has(place)))

  /**
   * Decides which of the rows bear, as they will stand after the batch: rows that it only encloses or uncovers come into its
   * hands too. To be called before the rows are written or removed.
   */
  const settle = (rows: Map<string, Batch.Held>, removed: ReadonlyMap<string, Batch.Held> = new Map()): void => {
    const moved = [...rows.values()].filter((held) => held.dirty && isCall(held.cells) && hasMoved(held))
    if (moved.length === 0 && removed.size === 0) return
    const changed = differences([
      ...moved.map((held) => ({ before: held.before, after: held.cells })),
      ...[...removed.values()].map((held) => ({ before: held.before, after: null })),
    ])
    const counts = load([...changed.keys(), ...moved.flatMap((held) => deciding(held.cells))])
    const crossed: Array<Crossed> = []
    for (const [place, times] of changed) {
      const count = counts.get(place) ?? 0
      counts.set(place, count + times)
      if (level(count) !== level(count + times)) crossed.push({ place, bearing: times > 0 ? 1 : 0 })
    }
    takeIn(rows, crossed, removed)
    const places = new Set(crossed.map(({ place }) => place))
    const concerned = [...rows.values()].filter((held) => isCall(held.cells) && isConcerned(held, places))
    const unknown = concerned.flatMap((held) => deciding(held.cells).filter((place) => !counts.has(place)))
    if (unknown.length > 0) for (const [place, calls] of load(unknown)) counts.set(place, calls)
    for (const held of concerned) {
      const now = bears(held.cells, counts)
      if (held.cells[BEARS] === now) continue
      held.cells = withCells(held.cells, { bears: now })
      held.dirty = true
    }
    save(changed)
  }

  return { settle, load, save }
}
