import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as CostRepeats from "../../src/cli/CostRepeats.js"
import type { CallRecord } from "../../src/domain/CallRecord.js"
import { RunCreate } from "../../src/domain/Run.js"
import * as SeenTwice from "../../src/domain/SeenTwice.js"

const decode = Schema.decodeUnknownSync(RunCreate)

type Spent = {
  readonly hash: string
  readonly at?: number
  readonly cost?: number | null
  readonly kind?: string
  readonly status?: string
}

const calls = (all: ReadonlyArray<Spent>): ReadonlyArray<CallRecord> =>
  all.map(({ hash, at, cost = 10, kind = "priced", status = "success" }, index) =>
    decode({
      event_id: `e${index}`,
      run_id: `r${index}`,
      parent_run_id: `launch-${index % 2}`,
      agent_name: "a",
      job_type: "llm_call",
      status,
      start_time: `2026-01-01T00:00:${String(at ?? index).padStart(2, "0")}.000Z`,
      metrics_json:
        kind === "silent" ? null : { input_tokens: 1, output_tokens: 1, cost_nanousd: cost, cost_status: kind },
      context_json: { call_id: `c${index}`, model: "m", prompt_hash: hash },
    }),
  )

const find = (all: ReadonlyArray<Spent>, most = 10, atOnce?: number) => {
  const recorded = calls(all)
  return CostRepeats.find(() => Stream.fromIterable(recorded), most, atOnce)
}

describe("questions that were paid for twice", () => {
  it.effect("wastes all but the first answered call, and names the calls oldest first", () =>
    Effect.gen(function* () {
      const { duplicates, total } = yield* find([
        { hash: "x", cost: 30, at: 3 },
        { hash: "x", cost: 10, at: 1 },
        { hash: "x", cost: 5, at: 0, status: "failure" },
        { hash: "once", cost: 1000 },
      ])
      expect(duplicates).toHaveLength(1)
      expect(duplicates[0]).toMatchObject({
        prompt_hash: "x",
        model: "m",
        calls: 3,
        spent_nanousd: 45,
        wasted_nanousd: 35,
      })
      expect(duplicates[0]?.asked.map(({ call_id, launch }) => [call_id, launch])).toEqual([
        ["c2", "launch-0"],
        ["c1", "launch-1"],
        ["c0", "launch-0"],
      ])
      expect(total).toMatchObject({ prompts: 1, calls: 3, spent_nanousd: 45, wasted_nanousd: 35 })
    }),
  )

  it.effect("never mixes the sandbox's money, replays and unknown prices with real money", () =>
    Effect.gen(function* () {
      const { duplicates } = yield* find([
        { hash: "x", cost: 10 },
        { hash: "x", cost: 7, kind: "simulated" },
        { hash: "x", cost: 8, kind: "simulated" },
        { hash: "x", cost: 0, kind: "replayed" },
        { hash: "x", cost: null, kind: "unpriced" },
        { hash: "x", kind: "silent", status: "failure" },
        { hash: "replays", cost: 0, kind: "replayed" },
        { hash: "replays", cost: 0, kind: "replayed" },
        { hash: "replays", cost: 3 },
      ])
      expect(duplicates).toHaveLength(1)
      expect(duplicates[0]).toMatchObject({
        calls: 2,
        unpriced_calls: 1,
        spent_nanousd: 10,
        wasted_nanousd: 0,
        simulated_calls: 2,
        simulated_spent_nanousd: 15,
        simulated_wasted_nanousd: 8,
        replayed_calls: 1,
      })
    }),
  )

  it.effect.prop(
    "finds the same in one part as in many, and what a plain look finds",
    [
      FastCheck.array(
        FastCheck.record({ hash: FastCheck.constantFrom("a", "b", "c", "d", "e"), cost: FastCheck.nat(99) }),
      ),
    ],
    ([all]) =>
      Effect.gen(function* () {
        const whole = yield* find(all)
        expect(yield* find(all, 10, 1)).toEqual(whole)
        const names = [...new Set(all.map(({ hash }) => hash))]
        const repeated = names.filter((name) => all.filter(({ hash }) => hash === name).length > 1)
        expect(whole.duplicates.map(({ prompt_hash }) => prompt_hash).sort()).toEqual(repeated.sort())
        const spent = all.filter(({ hash }) => repeated.includes(hash)).reduce((sum, { cost }) => sum + cost, 0)
        expect([whole.total.prompts, whole.total.spent_nanousd]).toEqual([repeated.length, spent])
      }),
    { fastCheck: { numRuns: 20 } },
  )

  it("no text that came twice is missed", () => {
    const seen = SeenTwice.make()
    const texts = Array.from({ length: 20_000 }, (_, n) => `text ${n}`)
    for (const text of [...texts, ...texts.slice(0, 5000)]) seen.add(text)
    expect(texts.slice(0, 5000).every(seen.maybe)).toBe(true)
    expect(texts.slice(5000).filter(seen.maybe).length).toBeLessThan(50)
    expect(seen.maybe("never")).toBe(false)
  })
})
