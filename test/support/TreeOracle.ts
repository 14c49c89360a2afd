import type { Planned, Tree } from "./RandomTrees.js"

/** Sums of leaves, from nothing but what was planned. Money in nano-dollars. */
export interface Sums {
  readonly calls: number
  readonly errors: number
  readonly input_tokens: number
  readonly output_tokens: number
  readonly total_tokens: number
  readonly cache_read_tokens: number
  readonly cache_write_5m_tokens: number
  readonly cache_write_1h_tokens: number
  readonly reasoning_tokens: number
  readonly cost_nanousd: number
  readonly simulated_cost_nanousd: number
  readonly unpriced_calls: number
  readonly replayed_calls: number
}

const isCall = (row: Planned): boolean => row.job === "llm_call"

/** The calls of a tree that no other call names as around it. */
export const leaves = ({ rows }: Tree): ReadonlyArray<Planned> => {
  const around = new Set(rows.flatMap((row) => (isCall(row) ? row.names : [])))
  return rows.filter((row, place) => isCall(row) && !around.has(place))
}

const total = (rows: ReadonlyArray<Planned>, of: (row: Planned) => number): number =>
  Number(rows.reduce((sum, row) => sum + BigInt(of(row)), 0n))

const isTold = ({ money }: Planned): boolean => money !== "silent"
const hasClasses = ({ money }: Planned): boolean =>
  isTold({ money } as Planned) && money !== "bare" && money !== "untold"

/** What some leaves add up to. */
export const sums = (rows: ReadonlyArray<Planned>): Sums => {
  const told = rows.filter(isTold)
  const classes = told.filter(hasClasses)
  const having = (...kinds: ReadonlyArray<Planned["money"]>) => rows.filter(({ money }) => kinds.includes(money))
  return {
    calls: rows.length,
    errors: rows.filter(({ status }) => status === "failure" || status === "timeout").length,
    input_tokens: total(told, ({ tokens }) => tokens.input),
    output_tokens: total(told, ({ tokens }) => tokens.output),
    total_tokens: total(told, ({ tokens }) => tokens.input + tokens.output),
    cache_read_tokens: total(classes, ({ tokens }) => tokens.cacheRead),
    cache_write_5m_tokens: total(classes, ({ tokens }) => tokens.write5m),
    cache_write_1h_tokens: total(classes, ({ tokens }) => tokens.write1h),
    reasoning_tokens: total(classes, ({ tokens }) => tokens.reasoning),
    cost_nanousd: total(having("priced", "bare"), ({ nano }) => nano),
    simulated_cost_nanousd: total(having("simulated"), ({ nano }) => nano),
    unpriced_calls: having("unpriced", "untold").length,
    replayed_calls: having("replayed").length,
  }
}

/** The sums of some leaves by a name. */
export const grouped = (
  rows: ReadonlyArray<Planned>,
  by: (row: Planned) => string | null,
): ReadonlyMap<string | null, Sums> => {
  const groups = new Map<string | null, Array<Planned>>()
  for (const row of rows) {
    const group = groups.get(by(row))
    if (group === undefined) groups.set(by(row), [row])
    else group.push(row)
  }
  return new Map(Array.from(groups, ([name, members]) => [name, sums(members)]))
}

const day = ({ start }: Planned) => start.slice(0, 10)
const run = ({ parentRunId, runId }: Planned) => parentRunId ?? runId

/** By what `/stats` groups. */
export const STATS = {
  model: (row: Planned) => row.model,
  provider: (row: Planned) => row.provider,
  agent_name: (row: Planned) => row.agent,
  status: (row: Planned) => row.status,
  run,
  day,
  hour: (row: Planned) => `${row.start.slice(0, 13)}:00:00.000Z`,
}

/** The dated form of the model that was asked is that model; anything else is another one. */
const answeredBy = ({ answered, model }: Planned): string | null =>
  answered === null || (model !== null && answered.startsWith(model)) ? model : answered

/** By what `cost` groups. */
export const COST = {
  model: (row: Planned) => answeredBy(row) ?? "(unknown model)",
  day,
  worker: (row: Planned) => row.worker ?? "(no worker)",
  launch: run,
  commit: (row: Planned) => row.commit ?? "(no commit)",
  branch: (row: Planned) => (row.branch === null ? "(no branch)" : `${row.branch} (github.com/acme/widget)`),
}
