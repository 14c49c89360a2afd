import * as fs from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

const Document = Schema.Record({ key: Schema.String, value: Schema.Unknown })
const document = Schema.decodeUnknown(Schema.parseJson(Document))
const Row = Schema.Struct({
  model: Schema.String,
  provider: Schema.String,
  origin: Schema.String,
  effective_from: Schema.NullOr(Schema.String),
  in_force: Schema.Boolean,
})
const listed = Schema.decodeUnknown(Schema.parseJson(Schema.Struct({ prices: Schema.Array(Row) })), {
  onExcessProperty: "preserve",
})
const aged = Schema.decodeUnknown(Schema.parseJson(Schema.Struct({ age: Schema.Struct({ age_days: Schema.Int }) })))

const mine = (input: number) =>
  `prices:\n  - { model: mine-1, provider: acme, input: ${input}, output: 10, source: our contract, read_on: 2026-11-01 }\n`

const rowsOf = (args: ReadonlyArray<string>, options: Runledger.Options) =>
  Effect.gen(function* () {
    const ended = yield* Runledger.run(["prices", ...args, "--json"], options)
    expect(ended.code, ended.stderr).toBe(0)
    return (yield* listed(ended.stdout)).prices
  })

describe("runledger prices", () => {
  it.scopedLive("hides where a rate comes from, or says another price is in force than the one that is", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const sonnet = yield* rowsOf(["list", "--model", "claude-sonnet-5-5"], { cwd })
      expect(sonnet).toMatchObject([
        {
          provider: "anthropic",
          usd_per_million: { input: 2, output: 10, cache_read: 0.2, cache_write_5m: 2.5, cache_write_1h: 4 },
          multipliers: { service_tier: { batch: 0.5 } },
          origin: "overlay",
          source: expect.any(String),
          read_on: expect.stringMatching(/^\d{4}-\d{2}-\d{2}$/),
          effective_from: null,
        },
        { effective_from: "2026-10-07", usd_per_million: { cache_read: 0.1 } },
      ])
      const at = (day: string) => rowsOf(["--model", "claude-sonnet-5-5", "--at", day], { cwd })
      expect((yield* at("2026-10-06")).map(({ effective_from }) => effective_from)).toEqual([null])
      expect((yield* at("2026-10-07")).map(({ effective_from }) => effective_from)).toEqual(["2026-10-07"])
      const all = yield* rowsOf(["--provider", "openai"], { cwd })
      expect(all.length).toBeGreaterThan(10)
      expect(all.every(({ origin, provider }) => origin === "genai-prices" && provider === "openai")).toBe(true)
      const words = yield* Runledger.run(["prices"], { cwd })
      expect(words.stdout).toMatch(/^PROVIDER +MODEL +FROM/)
      expect(words.stdout).toContain("claude-fable-5-2")
      const old = yield* Runledger.run(["prices", "--model", "sonnet"], {
        cwd,
        env: { RUNLEDGER_PRICES_OLD_AFTER_DAYS: "0" },
      })
      const isOld = old.stdout.includes("Prices were last read on")
      const { age } = yield* aged((yield* Runledger.run(["prices", "--json"], { cwd })).stdout)
      expect(isOld).toBe(age.age_days > 0)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("installs a file that is none, without --yes, or without keeping the one before", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      const place = path(".runledger", "prices.yaml")
      fs.writeFileSync(path("one.yaml"), mine(2))
      fs.writeFileSync(
        path("two.json"),
        JSON.stringify({ prices: [{ model: "mine-1", provider: "acme", input: 3, output: 10 }] }),
      )
      fs.writeFileSync(path("bad.yaml"), "prices:\n  - { model: mine-1, input: 1 }\n")
      const run = (...args: ReadonlyArray<string>) => Runledger.run(["prices", ...args], { cwd })
      const diff = yield* run("diff", "one.yaml", "--json")
      expect(diff.code).toBe(0)
      expect((yield* document(diff.stdout))["differences"]).toMatchObject([
        { kind: "added", provider: "acme", model: "mine-1", from: null, before: null, after: "user:acme/mine-1" },
      ])
      for (const args of [["one.yaml"], ["one.yaml", "--dry-run", "--yes"]]) {
        const dry = yield* run("update", ...args)
        expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining("Nothing was changed")])
        expect(fs.existsSync(place)).toBe(false)
      }
      expect((yield* run("update", "one.yaml", "--yes")).code).toBe(0)
      expect([fs.readFileSync(place, "utf8"), fs.statSync(place).mode & 0o777]).toEqual([mine(2), 0o600])
      expect(yield* rowsOf(["--model", "mine-1"], { cwd })).toMatchObject([{ origin: "user", source: "our contract" }])
      const changed = yield* run("diff", "two.json")
      expect(changed.stdout).toMatch(/^~ acme\/mine-1 changes: .*input 2 -> 3/m)
      const bad = yield* run("update", "bad.yaml", "--yes")
      expect([bad.code, bad.stderr]).toEqual([1, expect.stringContaining("bad.yaml")])
      expect(fs.readFileSync(place, "utf8")).toBe(mine(2))
      const second = yield* document((yield* run("update", "two.json", "--yes", "--json")).stdout)
      expect(fs.readFileSync(String(second["backup"]), "utf8")).toBe(mine(2))
      expect(JSON.parse(fs.readFileSync(place, "utf8")).prices[0].input).toBe(3)
      fs.writeFileSync(path("empty.yaml"), "prices: []\n")
      const removed = yield* document((yield* run("diff", "empty.yaml", "--json")).stdout)
      expect(removed["differences"]).toMatchObject([{ kind: "removed", model: "mine-1", after: null }])
      expect((yield* run("update", ".runledger/prices.yaml", "--yes")).code).toBe(1)
      expect((yield* run("diff")).code).toBe(1)
      expect((yield* run("diff", "nowhere.yaml")).code).toBe(1)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("keeps to itself that a row without a provider counts for the default one alone", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      fs.writeFileSync(path("two.yaml"), `${mine(2)}  - { model: mine-2, input: 1, output: 2 }\n`)
      for (const action of ["diff", "update"]) {
        const { code, stdout } = yield* Runledger.run(["prices", action, "two.yaml"], { cwd })
        expect(code).toBe(0)
        expect(stdout).toContain("anthropic/mine-2 has a price")
        expect(stdout).toContain("rows for 1 model of acme, 1 model of anthropic.")
        expect(stdout).toMatch(/A row without "provider" counts for anthropic\..* mine-2,/)
        expect(stdout).not.toMatch(/A row without .* mine-1/)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("writes elsewhere than where RUNLEDGER_PRICES points, or reads what it does not point to", () =>
    Effect.gen(function* () {
      const { cwd, path } = yield* Runledger.workplace
      fs.mkdirSync(path(".runledger"))
      fs.writeFileSync(path(".runledger", "prices.yaml"), mine(9))
      fs.writeFileSync(path("one.yaml"), mine(2))
      fs.writeFileSync(path("named.yaml"), mine(4))
      const options = { cwd, env: { RUNLEDGER_PRICES: path("named.yaml") } }
      expect(yield* rowsOf(["--model", "mine-1"], options)).toMatchObject([{ usd_per_million: { input: 4 } }])
      expect(yield* rowsOf(["--model", "mine-1"], { cwd })).toMatchObject([{ usd_per_million: { input: 9 } }])
      expect((yield* Runledger.run(["prices", "update", "one.yaml", "--yes"], options)).code).toBe(0)
      expect(fs.readFileSync(path("named.yaml"), "utf8")).toBe(mine(2))
      expect(fs.readFileSync(path(".runledger", "prices.yaml"), "utf8")).toBe(mine(9))
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
