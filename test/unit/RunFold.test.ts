import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Project from "../../src/domain/Project.js"
import * as RunFold from "../../src/domain/RunFold.js"
import { matches } from "../../src/domain/RunMatch.js"
import * as RecordedRuns from "../support/RecordedRuns.js"

const operations = Project.project(RecordedRuns.events("run-001", 1))

describe("RunFold", () => {
  it("folds a run's operations to its rows, in the order in which they were opened", () => {
    const rows = RunFold.fold(operations)
    expect(rows.map((row) => [row.id, row.run_id, row.status])).toEqual([
      [1, "run-001", "success"],
      [2, "run-001:W2.FactsBuilder:1", "success"],
      [3, "run-001-llm-priced", "success"],
      [4, "run-001-llm-simulated", "success"],
      [5, "run-001-llm-unpriced", "success"],
      [6, "run-001-llm-failed", "failure"],
    ])
    expect(rows[0]).toMatchObject({ duration_ms: 2500, repo_url: "https://github.com/acme/widget" })
  })

  it("the same operations twice make the same rows as once", () => {
    expect(RunFold.fold([...operations, ...operations])).toEqual(RunFold.fold(operations))
  })

  it("a terminal status does not go back to running, unless the run is reopened", () => {
    const [create] = operations.filter((operation) => operation.op === "create")
    const id = create?.event_id ?? ""
    const running = { op: "update", event_id: id, status: "running" } as const
    expect(RunFold.fold([...operations, running])[0]?.status).toBe("success")
    expect(RunFold.fold([...operations, { ...running, reopen: true }])[0]?.status).toBe("running")
    expect(RunFold.fold([...operations, { ...running, status: "timeout", inferred: true }])[0]?.status).toBe("success")
  })

  it("an update without its create, and what does not decode, make no row", () => {
    expect(RunFold.fold([{ op: "update", event_id: "nobody", status: "failed" }])).toEqual([])
    expect(
      RunFold.fold([{ op: "create", event_id: "", run_id: "r", agent_name: "a", job_type: "j", start_time: "now" }]),
    ).toEqual([])
  })

  it.prop("a prefix of a log never has more rows than the whole", [FastCheck.nat(operations.length)], ([length]) => {
    const prefix = RunFold.fold(operations.slice(0, length))
    const whole = RunFold.fold(operations)
    expect(whole.map((row) => row.event_id).slice(0, prefix.length)).toEqual(prefix.map((row) => row.event_id))
  })

  it("an empty filter matches every row, and each bound its own side", () => {
    const rows = RunFold.fold(operations)
    expect(rows.filter(matches({}))).toHaveLength(6)
    const [first] = rows
    const at = first?.start_time ?? ""
    expect(rows.filter(matches({ start_time_from: at }))).toHaveLength(6)
    expect(rows.filter(matches({ start_time_to: at }))).toHaveLength(1)
    expect(rows.filter(matches({ created_after: at }))).toHaveLength(5)
    expect(rows.filter(matches({ created_before: at }))).toHaveLength(0)
  })
})
