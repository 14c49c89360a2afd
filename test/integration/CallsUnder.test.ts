import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { call, run } from "../support/RunStores.js"
import { inFile } from "../support/StoreFile.js"

const MANY = 2100
const COST = { input_tokens: 1, output_tokens: 0, cost_nanousd: 1, cost_status: "priced" }

const at = (n: number): string => new Date(Date.UTC(2026, 0, 1) + n).toISOString()

describe("the calls under a run, page by page", () => {
  it.live("a call is told twice, or counted beside those inside of it, when the store changes between two pages", () =>
    inFile((store) =>
      Effect.gen(function* () {
        const calls = Array.from({ length: MANY }, (_, n) => call(`c-${n}`, { created_at: at(n) }, COST))
        yield* store.insert([run({ event_id: "run-001", run_id: "run-001" })])
        for (let from = 0; from < MANY; from += 700) yield* store.insert(calls.slice(from, from + 700))
        const told: Array<string> = []
        const pages: Array<number> = []
        yield* Stream.runForEach(store.json.calls({}, "run-001"), (page) =>
          Effect.gen(function* () {
            const lines = new TextDecoder()
              .decode(page)
              .split("\n")
              .filter((line) => line !== "")
            told.push(...lines.map((line): string => JSON.parse(line).event_id))
            if (pages.push(lines.length) > 1) return
            // The oldest call turns out to have made one itself; and a new one comes.
            yield* store.insert([
              call("inner", { created_at: at(MANY) }, COST, { parent_span_id: "c-0" }),
              call("new", { created_at: at(MANY + 1) }, COST),
            ])
          }),
        )
        expect(pages).toEqual([2000, MANY - 2000 - 1])
        expect(told).toEqual(Array.from({ length: MANY - 1 }, (_, n) => `c-${MANY - 1 - n}`))
      }),
    ),
  )

  it.live("a run that is not there, or made no calls, has calls", () =>
    inFile((store) =>
      Effect.gen(function* () {
        yield* store.insert([run({ event_id: "e", run_id: "empty" }), call("other", {}, COST)])
        for (const under of ["empty", "nowhere"]) {
          const text = yield* Stream.runFold(store.json.calls({}, under), "", (all, page) => all + page.length)
          expect(["", "0"]).toContain(text)
        }
      }),
    ),
  )
})
