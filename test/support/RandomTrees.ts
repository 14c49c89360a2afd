import * as FastCheck from "effect/FastCheck"
import type { OperationWire } from "../../src/domain/Operation.js"

/** How a row names the row that it runs inside of. */
const LINKS = ["span", "run", "both", "loose"] as const
type Link = (typeof LINKS)[number]

const JOBS = ["llm_call", "llm_call", "llm_call", "llm_call", "worker", "worker", "gate", "launch"] as const

/** What a call tells of its money. `bare` is tokens and dollars of a client that knows no cost_status, `silent` no word of any. */
const MONEY = [
  "priced",
  "priced",
  "priced",
  "bare",
  "unpriced",
  "untold",
  "simulated",
  "simulated",
  "replayed",
  "silent",
] as const
type Money = (typeof MONEY)[number]

const STATUSES = ["success", "success", "success", "failure", "timeout", "cancelled", "partial", "running"] as const

const MODELS = ["model-a", "model-b", "model-c", null] as const
/** What the answer says of its model: nothing, another one, or the dated form of one. */
const ANSWERS = [null, null, "model-b", "model-b-20260101"] as const
const WORKERS = ["W2.FactsBuilder", "W5.SectionWriter", null] as const
const COMMITS = ["a".repeat(40), "b".repeat(40), null] as const
const BRANCHES = ["main", "next", null] as const

/** A row of a tree as it is meant: what any reader must make of it. */
export interface Planned {
  readonly eventId: string
  readonly runId: string
  readonly job: string
  readonly status: string
  readonly start: string
  readonly agent: string
  readonly model: string | null
  readonly answered: string | null
  readonly provider: string | null
  readonly worker: string | null
  readonly commit: string | null
  readonly branch: string | null
  /** Places in the tree of the rows that it names as around it, and the run_id that it names. */
  readonly names: ReadonlyArray<number>
  readonly parentRunId: string | null
  readonly money: Money
  readonly tokens: {
    readonly input: number
    readonly output: number
    readonly cacheRead: number
    readonly write5m: number
    readonly write1h: number
    readonly reasoning: number
  }
  /** Nano-dollars that the row tells. */
  readonly nano: number
}

export interface Tree {
  readonly root: string
  readonly trace: string
  readonly rows: ReadonlyArray<Planned>
  /** In the order in which they were made. */
  readonly operations: ReadonlyArray<OperationWire>
}

/** What is drawn for one row; everything else follows from these. */
export interface Drawn {
  readonly shape: number
  readonly words: number
  readonly money: number
  readonly tokens: number
}

const DRAWN = 2 ** 30 - 1

/** A tree of 1 to 14 rows: the first is its root, each other one hangs on one before it. */
export const drawn: FastCheck.Arbitrary<ReadonlyArray<Drawn>> = FastCheck.array(
  FastCheck.record({
    shape: FastCheck.integer({ min: 0, max: DRAWN }),
    words: FastCheck.integer({ min: 0, max: DRAWN }),
    money: FastCheck.integer({ min: 0, max: DRAWN }),
    tokens: FastCheck.integer({ min: 0, max: DRAWN }),
  }),
  { minLength: 1, maxLength: 14 },
)

/** Takes choices out of one number. */
const choices = (from: number) => {
  let rest = from
  const below = (bound: number): number => {
    const taken = rest % bound
    rest = Math.floor(rest / bound)
    return taken
  }
  const of = <A>(all: readonly [A, ...ReadonlyArray<A>]): A => all[below(all.length)] ?? all[0]
  return { below, of }
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")
const two = (value: number): string => String(value).padStart(2, "0")

const metricsOf = ({ money, tokens, nano, status }: Planned): Record<string, unknown> | null => {
  const { input, output } = tokens
  const usage = {
    input_tokens: input,
    output_tokens: output,
    total_tokens: input + output,
    cache_read_tokens: tokens.cacheRead,
    cache_write_5m_tokens: tokens.write5m,
    cache_write_1h_tokens: tokens.write1h,
    reasoning_tokens: tokens.reasoning,
    ...(status === "success" ? {} : { usage_source: "lower_bound" }),
  }
  switch (money) {
    case "priced":
    case "simulated":
      return { ...usage, cost_nanousd: nano, api_cost_usd: nano / 1e9, cost_status: money }
    case "replayed":
      return { ...usage, cost_nanousd: 0, api_cost_usd: 0, cost_status: "replayed" }
    case "unpriced":
      return { ...usage, cost_nanousd: null, api_cost_usd: null, cost_status: "unpriced" }
    case "bare":
      return { prompt_tokens: input, completion_tokens: output, api_cost_usd: nano / 1e9 }
    case "untold":
      return { prompt_tokens: input, completion_tokens: output }
    case "silent":
      return null
  }
}

interface Place {
  readonly tree: number
  readonly index: number
}

const rowOf = ({ tree, index }: Place, { shape, words, money, tokens }: Drawn, rows: ReadonlyArray<Planned>) => {
  const root = `tree-${tree}`
  const form = choices(shape)
  const link: Link = form.of(LINKS)
  const job = index === 0 ? form.of(["launch", "launch", "worker", "llm_call"]) : form.of(JOBS)
  const parent = index === 0 ? undefined : form.below(index)
  const above = parent === undefined ? undefined : rows[parent]
  const word = choices(words)
  const coin = choices(money)
  const count = choices(tokens)
  const spans = link === "span" || link === "both"
  const runId = index === 0 ? root : `${root}-${index}`
  const parentRunId = above === undefined ? null : link === "span" || link === "loose" ? root : above.runId
  const planned: Planned = {
    eventId: `${root}:${index}`,
    runId,
    job,
    status: word.of(STATUSES),
    start: `2026-01-${two(1 + word.below(4))}T${two(word.below(24))}:${two(word.below(60))}:00.000Z`,
    agent: `agent-${word.below(3)}`,
    model: word.of(MODELS),
    provider: word.of(["outside", null]),
    worker: word.of(WORKERS),
    commit: word.of(COMMITS),
    branch: word.of(BRANCHES),
    answered: word.of(ANSWERS),
    names: [
      ...(parent !== undefined && spans ? [parent] : []),
      ...rows.flatMap((row, place) => (row.runId === parentRunId ? [place] : [])),
    ],
    parentRunId,
    money: coin.of(MONEY),
    nano: coin.below(5_000_000),
    tokens: {
      input: count.below(9_000),
      output: count.below(700),
      cacheRead: count.below(9),
      write5m: count.below(3),
      write1h: 1,
      reasoning: 1,
    },
  }
  return { planned, hasSpan: link !== "run", parentSpan: spans ? parent : undefined }
}

/** The tree of some drawn rows; `tree` names it among others. */
export const grow = (tree: number, all: ReadonlyArray<Drawn>): Tree => {
  const trace = hex(tree + 1, 32)
  const rows: Array<Planned> = []
  const operations = all.flatMap((one, index): ReadonlyArray<OperationWire> => {
    const { planned, parentSpan } = rowOf({ tree, index }, one, rows)
    rows.push(planned)
    const metrics_json = metricsOf(planned)
    const create = {
      op: "create" as const,
      event_id: planned.eventId,
      run_id: planned.runId,
      parent_run_id: planned.parentRunId,
      agent_name: planned.agent,
      job_type: planned.job,
      start_time: planned.start,
      created_at: planned.start,
      git_repo: "https://github.com/acme/widget",
      git_branch: planned.branch,
      git_commit_hash: planned.commit,
      context_json: {
        trace_id: trace,
        span_id: hex(tree * 64 + index + 1, 16),
        parent_span_id: parentSpan === undefined ? null : hex(tree * 64 + parentSpan + 1, 16),
        model: planned.model,
        ...(planned.answered === null ? {} : { response_model: planned.answered }),
        provider: planned.provider,
        worker: planned.worker,
      },
    }
    // Some are told at once, as other clients do, the rest when they begin and when they end.
    return one.shape % 3 === 0
      ? [{ ...create, status: planned.status, duration_ms: 5, metrics_json }]
      : [
          { ...create, status: "running" },
          { op: "update", event_id: planned.eventId, status: planned.status, duration_ms: 5, metrics_json },
        ]
  })
  return { root: `tree-${tree}`, trace, rows, operations }
}

/** The operations of some trees as a network may deliver them: in any order, some twice. */
export const delivered = (trees: ReadonlyArray<Tree>, seed: number): ReadonlyArray<OperationWire> => {
  let state = seed >>> 0
  const below = (bound: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
  const all = trees.flatMap(({ operations }) => operations)
  const some = [...all, ...all.filter(() => below(8) === 0)]
  for (let last = some.length - 1; last > 0; last -= 1) {
    const place = below(last + 1)
    const [one, other] = [some[last], some[place]]
    if (one !== undefined && other !== undefined) [some[last], some[place]] = [other, one]
  }
  return some
}
