import { existsSync } from "node:fs"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as MessagesServer from "../support/MessagesServer.js"
import * as Runledger from "../support/Runledger.js"
import * as WebhookReceiver from "../support/WebhookReceiver.js"

beforeAll(Runledger.build)

const decode = Schema.decodeUnknown(Schema.parseJson(Schema.Struct({ budgets: Schema.Array(Schema.Unknown) })))

const monthOfNow = /^\d{4}-\d{2}$/

describe("budget", () => {
  it.scopedLive(
    "a launch and the budget command do not tell the same of day, month, worker and model; or nobody is alerted",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { cwd, project, path } = yield* Runledger.workplace
        const model = yield* MessagesServer.serve
        const receiver = yield* WebhookReceiver.serve((_nth, response) => void response.writeHead(204).end())
        const config = {
          enrich: false,
          budgets: {
            max_cost_usd_per_month: 0.25,
            per_worker: { "W5.SectionWriter": 0.2 },
            per_model: { "claude-sonnet-4-5": 10 },
          },
        }
        yield* fs.writeFileString(path("run.json"), JSON.stringify(config))
        const env = {
          ANTHROPIC_API_KEY: "dummy",
          ANTHROPIC_BASE_URL: model.url,
          RUNLEDGER_WEBHOOK_URL: receiver.url,
          RUNLEDGER_WEBHOOK_SECRET: "a-secret-of-the-receiver",
        }
        const launched = yield* Runledger.run(
          ["launch", project, "--offline", "--json", "--allow-partial", "--config", "run.json"],
          { cwd, env },
        )
        const result = yield* Runledger.resultOf(launched)
        expect(result).toMatchObject({ status: "partial", cost_status: "priced" })
        expect(result.cost_usd).toBe((result.calls * 49_500_000) / 1e9)
        expect(launched.stderr).toContain("% of budgets.per_worker.W5.SectionWriter for worker W5.SectionWriter")
        expect(launched.stderr).not.toMatch(/secret/)
        const alerts = (yield* Runledger.eventsOf(path(result.run_dir))).filter(({ type }) => type === "BUDGET_ALERT")
        expect(alerts.length).toBeGreaterThan(0)
        expect(receiver.deliveries).toHaveLength(alerts.length)
        expect(receiver.deliveries[0]?.headers["webhook-signature"]).toMatch(/^v1,/)

        const told = yield* decode((yield* Runledger.run(["budget", "--json"], { cwd })).stdout)
        const spent = { spent_nanousd: result.calls * 49_500_000, reserved_nanousd: 0, calls: result.calls }
        expect(told.budgets).toMatchObject([
          { budget: "day", limit_nanousd: null, percent: null, forecast: { status: "too_early" } },
          {
            budget: "month",
            name: null,
            limit_nanousd: 250_000_000,
            ...spent,
            period: expect.stringMatching(monthOfNow),
          },
          {
            budget: "worker",
            name: "W5.SectionWriter",
            limit_nanousd: 200_000_000,
            ...spent,
            forecast: null,
            alerts: expect.arrayContaining([50]),
          },
          { budget: "model", name: "claude-sonnet-4-5", limit_nanousd: 10_000_000_000, ...spent, alerts: [] },
        ])
        const shown = yield* Runledger.run(["budget"], { cwd })
        expect([shown.code, shown.stderr]).toEqual([0, ""])
        expect(shown.stdout).toMatch(/worker +W5\.SectionWriter \d{4}-\d{2} +\$0\.2000 +\$0\.\d+/)
        expect(shown.stdout).toContain("too early")
        expect(existsSync(path("runs/.budget/ledger.sqlite-wal"))).toBe(false)

        const again = yield* Runledger.run(
          ["launch", project, "--offline", "--json", "--allow-partial", "--config", "run.json"],
          { cwd, env },
        )
        expect(yield* Runledger.resultOf(again)).toMatchObject({ status: "partial", calls: 0 })
        const { stdout } = yield* Runledger.run(["show", "--local"], { cwd })
        expect(stdout).toMatch(
          /partial: \d+ of \d+ pages come from the template\. \S+: The next call may cost up to \$0\.\d+/,
        )
        const refusing = yield* decode((yield* Runledger.run(["budget", "--json"], { cwd })).stdout)
        expect(refusing.budgets).toMatchObject([{}, {}, { budget: "worker", refused_calls: expect.any(Number) }, {}])
        expect((yield* Runledger.run(["budget"], { cwd })).stdout).toMatch(/worker .* [1-9]\d* calls? +50 %/)

        const listed = yield* Runledger.run(["runs", "--local"], { cwd })
        expect(listed.stdout).not.toContain(".budget")
        expect((yield* Runledger.run(["ship", "runs", "--include-offline", "--json"], { cwd })).stdout).not.toContain(
          ".budget",
        )
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "a limit that no call fits into is told as one to wait for, or a partial launch does not say how to go on",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { cwd, project, path } = yield* Runledger.workplace
        const model = yield* MessagesServer.serve
        yield* fs.writeFileString(path("run.json"), JSON.stringify({ budgets: { max_cost_usd_per_day: 0.08 } }))
        const env = { ANTHROPIC_API_KEY: "dummy", ANTHROPIC_BASE_URL: model.url }
        const command = ["launch", project, "--offline", "--config", "run.json", "--run-id", "r1"]
        const ended = yield* Runledger.run(command, { cwd, env })
        expect([ended.code, ended.stderr]).toEqual([2, expect.stringContaining("waiting does not help")])
        expect(ended.stderr).toContain("A page may get an answer of 6,000 tokens (llm.page_max_tokens)")
        expect(ended.stderr).not.toContain("go on after")
        expect(ended.stderr).toContain(`runledger launch ${project} --config run.json --resume r1`)
        expect(
          yield* Runledger.json((yield* Runledger.run(["show", "r1", "--local", "--json"], { cwd })).stdout),
        ).toMatchObject({
          run: { status: "partial", error_summary: expect.stringContaining("budgets.max_cost_usd_per_day") },
        })
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a folder without a ledger is an error or an empty table, or a sandbox's launch leaves one", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      expect((yield* Runledger.run(["launch", project, "--offline"], { cwd })).code).toBe(0)
      const none = yield* Runledger.run(["budget"], { cwd })
      expect([none.code, none.stdout]).toEqual([0, expect.stringContaining("No ledger of budgets in runs")])
      const json = yield* Runledger.json((yield* Runledger.run(["budget", "--json"], { cwd })).stdout)
      expect(json).toEqual({ ledger: null, at: null, since: null, budgets: [] })
      expect(existsSync(path("runs/.budget"))).toBe(false)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive(
    "a ledger that cannot be read lets a launch with a limit spend, or the command says nothing of use",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { cwd, project, path } = yield* Runledger.workplace
        const model = yield* MessagesServer.serve
        yield* fs.makeDirectory(path("runs/.budget"), { recursive: true })
        yield* fs.writeFileString(path("runs/.budget/ledger.sqlite"), "no ledger ".repeat(1000))
        yield* fs.writeFileString(path("run.json"), JSON.stringify({ budgets: { max_cost_usd_per_day: 1 } }))
        const env = { ANTHROPIC_API_KEY: "dummy", ANTHROPIC_BASE_URL: model.url }
        const refused = yield* Runledger.run(["launch", project, "--offline", "--config", "run.json"], { cwd, env })
        expect([refused.code, model.requests()]).toEqual([1, 0])
        expect(refused.stderr).toMatch(/cannot use the ledger of budgets .*ledger\.sqlite.*move it away/s)
        const budget = yield* Runledger.run(["budget"], { cwd })
        expect([budget.code, budget.stderr]).toEqual([2, expect.stringContaining("cannot read the ledger of budgets")])
      }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a webhook's address that cannot be used is taken, or shown", () =>
    Effect.gen(function* () {
      const { cwd, project } = yield* Runledger.workplace
      const env = { RUNLEDGER_WEBHOOK_URL: "http://hooks.example.com/secret-path" }
      const ended = yield* Runledger.run(["launch", project, "--offline"], { cwd, env })
      expect(ended.code).toBe(1)
      expect(ended.stderr).toContain("RUNLEDGER_WEBHOOK_URL cannot be used: plain http goes only to this machine")
      expect(ended.stderr).not.toContain("secret-path")
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
