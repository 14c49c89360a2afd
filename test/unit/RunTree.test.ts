import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { RunCreate, type RunRecord } from "../../src/domain/Run.js"
import * as RunTree from "../../src/domain/RunTree.js"

const decode = Schema.decodeUnknownSync(RunCreate)

const row = (id: number, fields: Readonly<Record<string, unknown>>): RunRecord => ({
  ...decode({
    event_id: `e${id}`,
    run_id: `r${id}`,
    agent_name: "a",
    job_type: "llm_call",
    status: "success",
    start_time: "2026-01-01T00:00:00Z",
    ...fields,
  }),
  id,
  schema_version: 1,
  created_at: `2026-01-01T00:00:00.${String(id % 1000).padStart(3, "0")}Z`,
  updated_at: null,
  commit_url: null,
  repo_url: null,
})

const span = (span_id: string, parent_span_id: string | null = null) => ({ trace_id: "t", span_id, parent_span_id })
const priced = (nano: number) => ({
  input_tokens: 1,
  output_tokens: 2,
  total_tokens: 3,
  cost_nanousd: nano,
  cost_status: "priced",
})

const launch = row(1, { run_id: "root", job_type: "launch", context_json: span("A"), metrics_json: priced(1000) })
const worker = row(2, { run_id: "root:W:1", parent_run_id: "root", job_type: "worker", context_json: span("B", "A") })

const shape = (node: RunTree.RunTreeNode): unknown => [node.run.id, ...node.children.map(shape)]
const tree = (rows: ReadonlyArray<RunRecord>, root = "root") => Option.getOrThrow(RunTree.build(rows, root))

const all = (node: RunTree.RunTreeNode): ReadonlyArray<number> => [node.run.id, ...node.children.flatMap(all)]

describe("RunTree", () => {
  it("nests by spans first: a call of a worker hangs on the worker although its parent_run_id is the launch", () => {
    const call = row(3, { parent_run_id: "root", context_json: span("C", "B"), metrics_json: priced(5) })
    const loose = row(4, { parent_run_id: "root", metrics_json: priced(7) })
    expect(shape(tree([loose, call, worker, launch]))).toEqual([1, [2, [3]], [4]])
  })

  it("adds real money, simulated money and unknown prices up apart, and counts only calls", () => {
    const node = tree([
      launch,
      worker,
      row(3, { context_json: span("C", "B"), metrics_json: priced(5) }),
      row(4, { context_json: span("D", "B"), metrics_json: { ...priced(7), cost_status: "simulated" } }),
      row(5, {
        context_json: span("E", "B"),
        status: "failed",
        metrics_json: { total_tokens: 9, cost_status: "unpriced" },
      }),
      row(6, {
        context_json: span("F", "A"),
        metrics_json: { cost_nanousd: 0, total_tokens: 1, cost_status: "replayed" },
      }),
    ])
    expect(node.totals).toMatchObject({
      calls: 4,
      errors: 1,
      total_tokens: 16,
      cost_nanousd: 5,
      cost_usd: 5e-9,
      simulated_cost_nanousd: 7,
      unpriced_calls: 1,
      replayed_calls: 1,
    })
    expect(node.children[0]?.totals).toMatchObject({ calls: 3, cost_nanousd: 5 })
  })

  it("costs a call that wraps another only once", () => {
    const outer = row(3, { context_json: span("C", "A"), metrics_json: priced(5) })
    const inner = row(4, { context_json: span("D", "C"), metrics_json: priced(5) })
    expect(tree([launch, outer, inner]).totals).toMatchObject({ calls: 1, cost_nanousd: 5 })
  })

  it("hangs rows whose parent is unknown on the root, so that no cost is lost", () => {
    const stray = row(3, { parent_run_id: "gone", context_json: span("C", "X"), metrics_json: priced(5) })
    expect(tree([launch, stray]).totals.cost_nanousd).toBe(5)
  })

  it("takes the newest row of the run id, and none when there is none", () => {
    expect(tree([launch, row(9, { run_id: "root", job_type: "launch" })]).run.id).toBe(9)
    expect(Option.isNone(RunTree.build([launch], "nobody"))).toBe(true)
    expect(Option.isNone(RunTree.build([], "root"))).toBe(true)
  })

  it("stays readable JSON whatever the depth", () => {
    const chain = Array.from({ length: 3_000 }, (_, n) =>
      row(n + 2, { run_id: `r${n + 2}`, parent_run_id: n === 0 ? "root" : `r${n + 1}`, job_type: "step" }),
    )
    const node = tree([launch, ...chain])
    expect(all(node)).toHaveLength(3_001)
    expect(JSON.stringify(node).length).toBeGreaterThan(0)
  })

  it.prop(
    "loses and repeats no row, whatever parents they name, rings included",
    [
      FastCheck.array(
        FastCheck.record({ parent: FastCheck.nat(12), span: FastCheck.nat(12), inSpan: FastCheck.nat(12) }),
        { maxLength: 12 },
      ),
    ],
    ([links]) => {
      const rows = links.map(({ parent, span: own, inSpan }, n) =>
        row(n + 2, {
          run_id: `r${n}`,
          parent_run_id: `r${parent}`,
          context_json: span(`s${own}`, `s${inSpan}`),
          metrics_json: priced(1),
          job_type: "step",
        }),
      )
      expect([...all(tree([launch, ...rows]))].sort((l, r) => l - r)).toEqual([1, ...rows.map((run) => run.id)])
    },
  )

  it("encodes as its schema says", () => {
    const node = tree([launch, worker])
    expect(Schema.decodeUnknownSync(RunTree.RunTreeNode)(JSON.parse(JSON.stringify(node)))).toEqual(node)
  })
})
