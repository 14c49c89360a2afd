import { describe, expect, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Ansi from "../../src/cli/Ansi.js"
import * as CostedCall from "../../src/cli/CostedCall.js"
import * as CostGroup from "../../src/cli/CostGroup.js"
import * as Figures from "../../src/cli/Figures.js"
import * as LaunchResult from "../../src/cli/LaunchResult.js"
import * as Progress from "../../src/cli/Progress.js"
import * as RenderCost from "../../src/cli/RenderCost.js"
import * as RenderRepricing from "../../src/cli/RenderRepricing.js"
import * as RenderTree from "../../src/cli/RenderTree.js"
import * as Table from "../../src/cli/Table.js"
import { NO_TOKENS } from "../../src/domain/CallParts.js"
import { NO_MODEL } from "../../src/domain/CallPricing.js"
import type { Event } from "../../src/domain/Event.js"
import * as Project from "../../src/domain/Project.js"
import { NOTHING } from "../../src/domain/Repricing.js"
import * as RunFold from "../../src/domain/RunFold.js"
import * as RunTree from "../../src/domain/RunTree.js"
import * as RecordedRuns from "../support/RecordedRuns.js"

const treeOf = (events: ReadonlyArray<Event>) =>
  Option.getOrThrow(RunTree.build(RunFold.fold(Project.project(events)), "run-001"))

const events = RecordedRuns.events("run-001", 1)
const callsIn = (all: ReadonlyArray<Event>) =>
  RunFold.fold(Project.project(all))
    .filter((row) => row.job_type === "llm_call")
    .map((call) => CostedCall.of(call, () => Option.none()))

const groupsOf = (calls: ReadonlyArray<CostedCall.CostedCall>, by: CostGroup.Key) =>
  calls.reduce(CostGroup.step(by), CostGroup.none())

describe("RenderTree", () => {
  it("draws launch, worker and calls with tokens, cost, time, attempts and errors, aligned", () => {
    expect(RenderTree.render(Ansi.plain, treeOf(events)).split("\n")).toEqual([
      "RUN                 STATUS      IN    OUT  COST                                       TIME",
      "run-001             success  4,500  9,000  $0.0495 + $0.0495 simulated + 1 unpriced  2.5 s",
      "└─ W2.FactsBuilder  success  4,500  9,000  $0.0495 + $0.0495 simulated + 1 unpriced  2.0 s",
      "   ├─ priced        success  1,500  3,000  $0.0495                                   1.5 s  2 attempts",
      "   ├─ simulated     success  1,500  3,000  $0.0495 simulated                         1.5 s  2 attempts",
      "   ├─ unpriced      success  1,500  3,000  unpriced                                  1.5 s  2 attempts",
      "   └─ failed        failure      -      -  -                                         10 ms  RateLimited: too many requests",
    ])
  })

  it("colours change nothing but colour", () => {
    const tree = treeOf(events)
    const dressed = RenderTree.render(Ansi.coloured, tree)
    expect(dressed).not.toBe(RenderTree.render(Ansi.plain, tree))
    expect(Ansi.strip(dressed)).toBe(RenderTree.render(Ansi.plain, tree))
  })

  it("text from elsewhere cannot move the cursor or start a line", () => {
    const hostile = events.map(
      (event): Event =>
        event.type === "LLM_CALL_FAILED"
          ? { ...event, payload: { ...event.payload, error_summary: "\u001b[2Jgone\nrun-002  success\u0007" } }
          : event,
    )
    const drawn = RenderTree.render(Ansi.plain, treeOf(hostile))
    expect(drawn).not.toContain("\u001b")
    expect(drawn.split("\n")).toHaveLength(7)
  })
})

describe("money", () => {
  it("unpriced, simulated and replayed never read as $0, and a free call does", () => {
    const spent = { total_tokens: 1, cost_nanousd: 0, simulated_cost_nanousd: 0, unpriced_calls: 0, replayed_calls: 0 }
    expect(Figures.spending(spent)).toBe("$0")
    expect(Figures.spending({ ...spent, total_tokens: 0 })).toBe("-")
    expect(Figures.spending({ ...spent, unpriced_calls: 2 })).toBe("2 unpriced")
    expect(Figures.spending({ ...spent, replayed_calls: 1 })).toBe("1 replayed")
    expect(Figures.spending({ ...spent, simulated_cost_nanousd: 5_000_000 })).toBe("$0.005000 simulated")
    expect(Figures.callCost(null, "unpriced")).toBe("unpriced")
    expect(Figures.callCost(0, "replayed")).toBe("replayed")
    expect(Figures.callCost(0, "priced")).toBe("$0")
    expect(Figures.callCost(null, null)).toBe("-")
  })

  it("an amount too small for four decimals still shows", () => {
    expect(Figures.dollars(49_500_000)).toBe("$0.0495")
    expect(Figures.dollars(1)).toBe("$0.000000001")
    expect(Figures.dollars(1_234_567_890)).toBe("$1.2346")
  })

  it("a group's real money leaves simulated money out, and is unknown when a call is unpriced", () => {
    const calls = callsIn(events)
    const [group] = CostGroup.sorted(groupsOf(calls, "model"), "model")
    expect(group).toMatchObject({
      group: RecordedRuns.MODEL,
      calls: 4,
      errors: 1,
      cost_nanousd: 49_500_000,
      cost_usd: null,
      simulated_cost_usd: 0.0495,
      unpriced_calls: 1,
    })
    const priced = calls.filter((call) => call.costStatus === "priced")
    expect(CostGroup.total(groupsOf(priced, "day"))).toMatchObject({ cost_usd: 0.0495, unpriced_calls: 0 })
  })

  it("groups by model, day, worker, launch, commit and branch", () => {
    const calls = [...callsIn(events), ...callsIn(RecordedRuns.events("run-002", 2))]
    const names = (by: CostGroup.Key) => CostGroup.sorted(groupsOf(calls, by), by).map(({ group }) => group)
    expect(names("model")).toEqual([RecordedRuns.MODEL])
    expect(names("day")).toEqual(["2026-01-02", "2026-01-01"])
    expect(names("worker")).toEqual(["W2.FactsBuilder"])
    expect(names("launch")).toEqual(["run-001", "run-002"])
    expect(names("commit")).toEqual(["a".repeat(40)])
    expect(names("branch")).toEqual(["(no branch)"])
  })

  it("a launch's one figure: unknown beats known, real beats simulated, replayed is 0 and says so", () => {
    const result = (...kept: ReadonlyArray<string>) => {
      const chosen = events.filter((event) => !("call_id" in event.payload) || kept.includes(event.payload.call_id))
      return LaunchResult.fromTree(treeOf(chosen), "runs/run-001", 0)
    }
    expect(result("priced", "unpriced")).toMatchObject({ cost_usd: null, cost_status: "unpriced" })
    expect(result("priced", "simulated")).toMatchObject({ cost_usd: 0.0495, cost_status: "priced" })
    expect(result("simulated")).toMatchObject({ cost_usd: 0.0495, cost_status: "simulated" })
    expect(result()).toMatchObject({ cost_usd: 0, cost_status: "none", calls: 0 })
  })
})

describe("tables", () => {
  it("aligns by what is seen, not by what colours take", () => {
    const rows = [
      ["a", Ansi.coloured.red("1")],
      ["bbb", "22"],
    ]
    const drawn = Table.render([{ title: "N" }, { title: "V", align: "right" }], rows, (text) => text)
    expect(Ansi.strip(drawn)).toBe("N     V\na     1\nbbb  22")
  })

  it("old prices are said beside the figures that stand on them, and fresh ones are not", () => {
    const age = { read_on: "2026-01-31", age_days: 90, is_old: true }
    expect(RenderCost.aged(Ansi.plain, age).join("\n")).toContain("2026-01-31")
    expect(RenderCost.aged(Ansi.plain, { ...age, is_old: false })).toEqual([])
    expect(RenderCost.aged(Ansi.plain, null)).toEqual([])
  })

  it("an empty list of costs still has its heading and total", () => {
    const drawn = RenderCost.costs(Ansi.plain, "model", [], CostGroup.total(CostGroup.none()))
    expect(drawn.split("\n")).toHaveLength(2)
  })
})

describe("Progress", () => {
  it("counts calls, tokens and money by standing", () => {
    const end = events.reduce(Progress.step, Progress.start)
    expect(end).toMatchObject({
      worker: "W2.FactsBuilder",
      open: 0,
      done: 3,
      failed: 1,
      spending: { total_tokens: 13_500 },
    })
    expect(Progress.status(end)).toBe(
      "W2.FactsBuilder: 3 calls, 1 failed, 13,500 tokens, $0.0495 + $0.0495 simulated + 1 unpriced",
    )
  })
})

describe("what to do about unpriced calls", () => {
  const advice = (...reasons: ReadonlyArray<string>) =>
    RenderRepricing.repriced(Ansi.plain, {
      database: "db",
      dry_run: true,
      repricing_id: null,
      repriced: { ...NOTHING, still_unpriced: 2, unknown: reasons.map((reason) => ({ reason, calls: 1 })) },
    })

  it("a price file is asked for where the model's name is missing, or the name where a price is", () => {
    expect(advice(NO_MODEL, NO_TOKENS)).toContain("as context_json.model")
    expect(advice(NO_MODEL, NO_TOKENS)).not.toContain("price file")
    expect(advice(NO_MODEL, "no price is known of p/m")).toMatch(/context_json\.model.*price file/s)
    expect(advice("no price is known of p/m")).not.toContain("context_json")
    const row = { calls: 1, input_tokens: 1, output_tokens: 1 }
    const listed = RenderCost.unpriced(Ansi.plain, [
      { ...row, provider: "p", model: "m" },
      { ...row, provider: null, model: null },
    ]).join("\n")
    expect(listed).toMatch(/p\/m: 1 call,.*\(no model told\): 1 call,.*context_json\.model/s)
  })
})

describe("Ansi.guard", () => {
  it("lets lines and colours of an answer through and nothing else that a terminal obeys", () => {
    const own = `${Ansi.coloured.red("a")}\tb\n${Ansi.coloured.bold("c")}`
    expect(Ansi.guard(own)).toBe(own)
    expect(Ansi.guard("\u001b[2J\u001b]0;t\u0007\r\u009bm\u007f")).toBe("\ufffd[2J\ufffd]0;t\ufffd\ufffd\ufffdm\ufffd")
  })
})
