import * as path from "node:path"
import * as Calling from "../support/Calling.js"
import * as FakeTime from "../support/FakeTime.js"
import { inFolder, linesOf, runledger, type Stage, say } from "./DeliveryStage.js"
import * as LedgerServer from "./LedgerServer.js"
import type { Verdicts } from "./Report.js"

const RUN_ID = "run-001"
const CALLS = 200
const DAY_MILLIS = 86_400_000

const measure = async (stage: Stage, verdicts: Verdicts, folder: string, preload: string): Promise<void> => {
  const server = await LedgerServer.start(stage.bin, folder)
  const clockFile = path.join(folder, "clock")
  const runsDir = path.join(folder, "runs")
  FakeTime.move(clockFile, "+0d")
  try {
    const { delivery } = await Calling.run(
      stage.programs.calling,
      {
        ...Calling.defaults,
        runsDir,
        runId: RUN_ID,
        endpoint: server.url,
        said: path.join(folder, "said.json"),
        calls: CALLS,
        clockFile,
        moves: [
          { at: 50, by: "-2d" },
          { at: 100, by: "+1y" },
          { at: 150, by: "-2d" },
        ],
      },
      { ...process.env, ...FakeTime.environment(preload, clockFile) },
    )
    await runledger(stage.bin, ["ship", runsDir], { TELEMETRY_API_URL: server.url, HOME: folder })
    const events = linesOf(path.join(runsDir, RUN_ID, "events.ndjson")).map((line) => JSON.parse(line))
    const times = events.map(({ ts }) => Date.parse(ts))
    const durations = events.flatMap(({ payload }) => [payload.latency_ms, payload.duration_ms]).filter(Number.isFinite)
    const rows: ReadonlyArray<{ start_time: string; end_time: string | null; duration_ms: number }> = await (
      await fetch(`${server.url}/api/v1/runs?parent_run_id=${RUN_ID}`)
    ).json()
    const days = (Math.max(...times) - Math.min(...times)) / DAY_MILLIS
    say(
      `moved clock: ${events.length} events over ${days.toFixed(0)} days by their own word, ${rows.length} rows, ${delivery.delivered} delivered on the way`,
    )
    verdicts.same("the clock was really moved", days > 300)
    verdicts.bound("times that go backwards", times.filter((time, n) => time < (times[n - 1] ?? 0)).length, 0, String)
    verdicts.bound("negative durations in events", durations.filter((value) => value < 0).length, 0, String)
    const wrong = rows.filter((row) => row.duration_ms < 0 || row.end_time === null || row.end_time < row.start_time)
    verdicts.same(`all ${CALLS} rows are there`, rows.length === CALLS)
    verdicts.bound(
      "rows with a negative duration, or an end that is missing or before their start",
      wrong.length,
      0,
      String,
    )
    const { code } = await runledger(stage.bin, ["verify", path.join(runsDir, RUN_ID)], { HOME: folder })
    verdicts.same("the log verifies", code === 0)
  } finally {
    await server.stop()
  }
}

/** The system clock is moved by −2 days and +1 year while a client records. */
export const run = async (stage: Stage, verdicts: Verdicts): Promise<void> => {
  const preload = FakeTime.library()
  if (preload === undefined) return say("SKIPPED  moved clock: faketime is not installed")
  await inFolder((folder) => measure(stage, verdicts, folder, preload))
}
