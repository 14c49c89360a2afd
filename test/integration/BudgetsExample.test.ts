import { expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Budgets from "../../src/examples/Budgets.js"
import * as MessagesServer from "../support/MessagesServer.js"
import * as OpsRecorder from "../support/OpsRecorder.js"
import { runsIn, temporary } from "../support/Rotations.js"
import * as WarningLog from "../support/WarningLog.js"

it.scopedLive("the example spends beyond a launch's or a day's limit, or its limits hold up what they allow", () =>
  Effect.gen(function* () {
    const model = yield* MessagesServer.serve
    const server = yield* OpsRecorder.serve
    const runsDir = `${yield* temporary}/runs`
    const settings = new Map([
      ["ANTHROPIC_API_KEY", "a-key-that-nobody-checks"],
      ["ANTHROPIC_BASE_URL", model.url],
      ["TELEMETRY_API_URL", server.url],
      ["RUNLEDGER_RUNS_DIR", runsDir],
    ])
    const log = WarningLog.make()
    const main = Budgets.main.pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(settings)),
      Effect.provide(log.layer),
    )
    // A call sets aside about 6 cents and uses 4.95: 15 cents are enough for two at a time, 30 a day for five.
    const ended = [yield* main, yield* main, yield* main]
    expect(ended.map(({ written }) => written.length)).toEqual([2, 2, 1])
    expect(ended.map(({ stopped }) => stopped?.match(/Raise (\S+?),? /)?.[1])).toEqual([
      "budgets.max_cost_usd",
      "budgets.max_cost_usd",
      "budgets.max_cost_usd_per_day",
    ])
    expect(model.requests()).toBe(5)
    expect(log.warnings().filter((line) => line.includes("budgets.max_cost_usd_per_day"))).toHaveLength(2)
    const runs = yield* runsIn(runsDir)
    expect(runs).toHaveLength(3)
    for (const run of runs) expect(run).toMatchObject({ last: "RUN_COMPLETED", problems: [], isLocked: false })
  }),
)
