import { expect, it } from "@effect/vitest"
import type { Over } from "./HttpApiWriteSuite.js"
import { run } from "./PlainClient.js"

const ROWS = [
  run("a", { run_id: "r", created_at: "2026-01-01T00:00:00Z", product: "one", status: "success" }),
  run("b", {
    created_at: "2026-01-02T00:00:00Z",
    parent_run_id: "r",
    job_type: "llm_call",
    agent_name: "caller",
    status: "failed",
    context_json: { trace_id: "t".repeat(32), model: "m" },
  }),
  run("c", {
    created_at: "2026-01-03T00:00:00Z",
    start_time: "2026-03-01T00:00:00+02:00",
    parent_run_id: "r",
    job_type: "llm_call",
    agent_name: "caller",
    status: "timeout",
    context_json: { trace_id: "u".repeat(32), model: "n" },
  }),
]

const FILTERS: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["", ["c", "b", "a"]],
  ["run_id=r", ["a"]],
  ["parent_run_id=r", ["c", "b"]],
  [`trace_id=${"t".repeat(32)}`, ["b"]],
  ["agent_name=caller", ["c", "b"]],
  ["job_type=launch", ["a"]],
  ["status=failure", ["b"]],
  ["status=failed", ["b"]],
  ["status=completed", ["a"]],
  ["product=one", ["a"]],
  ["model=n", ["c"]],
  ["created_after=2026-01-02T00:00:00Z", ["c"]],
  ["created_before=2026-01-02T00:00:00Z", ["a"]],
  ["start_time_from=2026-02-28T22:00:00Z", ["c"]],
  ["start_time_from=2026-03-01T00:00:00%2B02:00", ["c"]],
  ["start_time_to=2026-01-31T12:00:00Z", ["b", "a"]],
  ["parent_run_id=r&job_type=llm_call&status=failure&model=m", ["b"]],
  ["limit=1", ["c"]],
  ["limit=1&offset=2", ["a"]],
  ["parent_run_id=r&offset=1", ["b"]],
  ["job_type=nothing", []],
]

const REFUSED: ReadonlyArray<readonly [string, number]> = [
  ["status=nonsense", 400],
  ["created_after=yesterday", 400],
  ["start_time_to=2026-01-31T12:00:00", 400],
  ["limit=0", 422],
  ["limit=1001", 422],
  ["limit=ten", 422],
  ["offset=-1", 422],
  ["cursor=nonsense", 422],
]

/** What lists of a plain client hold, filter by filter and page by page. */
export const filtersAndPages = (over: Over): void => {
  it.live("GET list: a filter lets through what it should not, or the order is another", () =>
    over(async ({ post, ids, get, status }) => {
      await post("/api/v1/runs/batch", ROWS)
      for (const [query, wanted] of FILTERS) {
        expect(await ids(`?${query}`), query).toEqual(wanted)
        const counted = query.replace(/&?(?:limit|offset)=\d+/g, "")
        const total = (await get(`/api/v1/runs?${query}`)).headers.get("x-total-count")
        const known = FILTERS.find(([other]) => other === counted)?.[1].length
        if (known !== undefined) expect(total, query).toBe(String(known))
      }
      for (const [query, code] of REFUSED) expect(await status("GET", `/api/v1/runs?${query}`), query).toBe(code)
    }),
  )

  it.live("GET list: pages repeat or skip a row, or a sum over one run is cut", () =>
    over(async ({ post, get, ids }) => {
      const rows = Array.from({ length: 250 }, (_, n) =>
        run(`p${String(n).padStart(3, "0")}`, {
          parent_run_id: "big",
          created_at: `2026-01-01T00:00:0${n % 3}Z`,
          metrics_json: { total_tokens: 1 },
        }),
      )
      await post("/api/v1/runs/batch", rows)
      expect(await ids("")).toHaveLength(100)
      expect(await ids("?parent_run_id=big")).toHaveLength(250)
      const seen: Array<string> = []
      let next: string | undefined = "/api/v1/runs?parent_run_id=big&limit=60"
      while (next !== undefined) {
        const page = await get(next)
        expect(page.headers.get("x-total-count")).toBe("250")
        seen.push(...page.json.map((one: { readonly event_id: string }) => one.event_id))
        next = /^<([^>]+)>; rel="next"$/.exec(page.headers.get("link") ?? "")?.[1]
      }
      expect(seen).toEqual(await ids("?parent_run_id=big"))
      expect(new Set(seen).size).toBe(250)
    }),
  )
}
