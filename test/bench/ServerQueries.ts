import type { Answer } from "./ServerLoad.js"
import { type SeedRow, WINDOW } from "./ServerSeed.js"
import type { Seeded } from "./ServerSeeding.js"
import type { Group, Sums } from "./ServerSeedModel.js"

/** A question, asked of another run each time, and what is wrong with an answer. */
export interface Query {
  readonly what: string
  readonly path: (turn: number) => string
  /** What is wrong; undefined when the answer is what the seed says. */
  readonly flaw: (answer: Answer, turn: number) => string | undefined
}

type Json = Readonly<Record<string, unknown>>

const PAGE = 100

/** Of these even the small seed has more than a page, so that both are asked for as much. */
const PAGED_JOB_TYPES = ["llm_call", "worker"]

/** The percentiles of the stats may be off by so much. */
const TOLERANCE = 0.05

const listOf = (answer: Answer): ReadonlyArray<Json> => {
  const body: unknown = JSON.parse(answer.body.toString("utf8"))
  return Array.isArray(body) ? body : []
}

const differs = (what: string, found: unknown, wanted: unknown): string | undefined => {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)]
  return one === other ? undefined : `${what} is ${one?.slice(0, 200)} instead of ${other?.slice(0, 200)}`
}

/** A page of runs that must bear these ids in this order, and tell this total. */
const newest =
  (wanted: (turn: number) => { readonly total: number; readonly ids: ReadonlyArray<string> }) =>
  (answer: Answer, turn: number): string | undefined => {
    const { total, ids } = wanted(turn)
    const found = listOf(answer).map((row) => row["event_id"])
    return differs("the total", answer.headers["x-total-count"], String(total)) ?? differs("the page", found, ids)
  }

const newestOf = (rows: ReadonlyArray<SeedRow>) => ({
  total: rows.length,
  ids: rows
    .slice(-PAGE)
    .map(({ event_id }) => event_id)
    .reverse(),
})

const sumFlaw = (group: string, found: Json, sums: Sums): string | undefined => {
  for (const [name, value] of Object.entries(sums)) {
    const flaw = differs(`${name} of ${group}`, found[name], value)
    if (flaw !== undefined) return flaw
  }
  return undefined
}

const percentileFlaw = (found: Json, { group, latency_ms }: Group): string | undefined => {
  const latency = found["latency_ms"] as Json | undefined
  for (const [name, value] of Object.entries(latency_ms)) {
    const told = Number(latency?.[name])
    if (!(Math.abs(told - value) <= value * TOLERANCE)) return `${name} of ${group} is ${told} instead of ${value}`
  }
  return undefined
}

const groupFlaw =
  (wanted: ReadonlyArray<Group>) =>
  (answer: Answer): string | undefined => {
    const found = listOf(answer)
    const names = differs(
      "the list of groups",
      found.map(({ group }) => group),
      wanted.map(({ group }) => group),
    )
    if (names !== undefined) return names
    for (const [index, group] of wanted.entries()) {
      const flaw = sumFlaw(group.group, found[index] ?? {}, group.sums) ?? percentileFlaw(found[index] ?? {}, group)
      if (flaw !== undefined) return flaw
    }
    return undefined
  }

interface Node {
  readonly run: Json
  readonly totals: Json
  readonly children: ReadonlyArray<Node>
}

const size = (node: Node): number => node.children.reduce((sum, child) => sum + size(child), 1)

/** Launches far apart from each other, the big one left out: no page of one is still at hand when the next is asked for. */
const launchFor = ({ seed }: Seeded, turn: number): number => {
  const launch = (turn * 7919 + 13) % (seed.launches - 1)
  return launch === seed.big ? launch + 1 : launch
}

const encoded = encodeURIComponent

/** Questions for one row or a page of them. */
export const small = (seeded: Seeded): ReadonlyArray<Query> => {
  const { seed, model } = seeded
  const launchOf = (turn: number) => launchFor(seeded, turn)
  const jobTypeOf = (turn: number): string => PAGED_JOB_TYPES[turn % PAGED_JOB_TYPES.length] ?? ""
  const oneOf = (turn: number): SeedRow => {
    const rows = seed.rowsOf(launchOf(turn))
    const row = rows[turn % rows.length]
    if (row === undefined) throw new Error("a launch of the seed has no rows")
    return row
  }
  return [
    {
      what: "newest 100 of a job_type",
      path: (turn) => `/api/v1/runs?job_type=${jobTypeOf(turn)}&limit=${PAGE}`,
      flaw: newest((turn) => model.byJobType[jobTypeOf(turn)] ?? { total: 0, ids: [] }),
    },
    {
      what: "newest 100 of a parent",
      path: (turn) => `/api/v1/runs?parent_run_id=${encoded(seed.runIdOf(launchOf(turn)))}&limit=${PAGE}`,
      flaw: newest((turn) => newestOf(seed.rowsOf(launchOf(turn)).slice(1))),
    },
    {
      what: "newest 100 of a trace",
      path: (turn) => `/api/v1/runs?trace_id=${seed.traceOf(launchOf(turn))}&limit=${PAGE}`,
      flaw: newest((turn) => newestOf(seed.rowsOf(launchOf(turn)))),
    },
    {
      what: "failed calls",
      path: () => `/api/v1/runs?job_type=llm_call&status=failure&limit=${PAGE}`,
      flaw: newest(() => model.failedCalls),
    },
    {
      what: "one run",
      path: (turn) => `/api/v1/runs/${encoded(oneOf(turn).event_id)}`,
      flaw: (answer, turn) => {
        const found: Json = JSON.parse(answer.body.toString("utf8"))
        const wanted = oneOf(turn)
        for (const name of Object.keys(wanted) as ReadonlyArray<keyof SeedRow>) {
          const flaw = differs(name, found[name], wanted[name])
          if (flaw !== undefined) return flaw
        }
        return undefined
      },
    },
  ]
}

const window = `start_time_from=${encoded(WINDOW.from)}&start_time_to=${encoded(WINDOW.to)}`

/** Sums over 30 days. */
export const stats = ({ model }: Seeded): ReadonlyArray<Query> => [
  {
    what: "stats by model, 30 days",
    path: () => `/api/v1/stats?group_by=model&${window}`,
    flaw: groupFlaw(model.byModel),
  },
  { what: "stats by day, 30 days", path: () => `/api/v1/stats?group_by=day&${window}`, flaw: groupFlaw(model.byDay) },
]

/** The tree of the run with many calls. */
export const tree = ({ seed, model }: Seeded): Query => ({
  what: `tree of a run with ${seed.bigCalls} calls`,
  path: () => `/api/v1/runs/${encoded(seed.runIdOf(seed.big))}/tree`,
  flaw: (answer) => {
    const root: Node = JSON.parse(answer.body.toString("utf8"))
    return (
      differs("the number of nodes", size(root), seed.rowsOf(seed.big).length) ??
      differs("the root", root.run["run_id"], seed.runIdOf(seed.big)) ??
      sumFlaw("the root", root.totals, model.big)
    )
  },
})
