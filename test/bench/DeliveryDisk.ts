import * as fs from "node:fs"
import * as path from "node:path"
import * as Calling from "../support/Calling.js"
import * as Disks from "../support/Disks.js"
import { inFolder, linesOf, type Stage, say } from "./DeliveryStage.js"
import type { Verdicts } from "./Report.js"

const CALLS = 500
const ROOM_AT = 400
const RUN_ID = "run-001"

const measure = async (stage: Stage, verdicts: Verdicts, folder: string, disk: Disks.Disk): Promise<void> => {
  const calls = (runsDir: string, options: Partial<Calling.Options>) =>
    Calling.run(stage.programs.calling, {
      ...Calling.defaults,
      runsDir,
      runId: RUN_ID,
      said: path.join(folder, "said.json"),
      calls: CALLS,
      ...options,
    })
  Disks.fill(disk.folder, 500)
  const starved = await calls(disk.folder, { ballast: path.join(disk.folder, "ballast"), roomAt: ROOM_AT })
  const fed = await calls(path.join(folder, "runs"), {})
  const events = linesOf(path.join(disk.folder, RUN_ID, "events.ndjson")).map((line) => JSON.parse(line))
  const complete = linesOf(path.join(folder, "runs", RUN_ID, "events.ndjson"))
  const gaps = events.filter(({ type }) => type === "TELEMETRY_GAP")
  const dropped = gaps.reduce((sum, { payload }) => sum + payload.dropped, 0)
  const missing = complete.length - (events.length - gaps.length)
  say(
    `full disk: ${CALLS} calls, ${events.length} events written, ${missing} missing, ${gaps.length} gaps say ${dropped}`,
  )
  verdicts.same("full disk: every call returned what it returns otherwise", starved.answers === fed.answers)
  verdicts.same("full disk: events were really lost", missing > 50)
  verdicts.same("full disk: the gaps count exactly what is missing", dropped === missing)
  const afterwards = events.filter(
    ({ type, payload }) => type === "LLM_CALL_FINISHED" && Number(payload.call_id.slice(5)) > ROOM_AT,
  )
  verdicts.same("with space again: every call is in the log", afterwards.length === CALLS - ROOM_AT - 1)
  const evidence = fs.readdirSync(path.join(disk.folder, RUN_ID, "evidence", "llm_calls"))
  const kept = evidence.filter((name) => Number(name.slice(5, -5)) > ROOM_AT)
  verdicts.same("with space again: every call has its evidence", kept.length === CALLS - ROOM_AT - 1)
}

/** The disk fills up under log and evidence, and has room again. */
export const run = async (stage: Stage, verdicts: Verdicts): Promise<void> => {
  if (!Disks.canMount()) return say("SKIPPED  full disk: mounting a small file system needs root")
  await inFolder(async (folder) => {
    const disk = Disks.small(8192)
    try {
      await measure(stage, verdicts, folder, disk)
    } finally {
      disk.remove()
    }
  })
}
