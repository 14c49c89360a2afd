// `npm run bench:delivery`: what becomes of recorded events when something goes wrong, and what that costs the caller.
// `-- --only kill,outage` selects parts, `--quick` shrinks counts for trying out.
import { parseArgs } from "node:util"
import * as BenchPrograms from "./BenchPrograms.js"
import * as DeliveryClock from "./DeliveryClock.js"
import * as DeliveryDisk from "./DeliveryDisk.js"
import * as DeliveryFaults from "./DeliveryFaults.js"
import * as DeliveryKill from "./DeliveryKill.js"
import * as DeliveryOutage from "./DeliveryOutage.js"
import * as DeliveryPoison from "./DeliveryPoison.js"
import { type Stage, say } from "./DeliveryStage.js"
import * as FrozenBin from "./FrozenBin.js"
import * as Overhead from "./Overhead.js"
import { machine, Verdicts } from "./Report.js"

const parts: Readonly<Record<string, (stage: Stage, verdicts: Verdicts) => Promise<void>>> = {
  kill: DeliveryKill.run,
  outage: DeliveryOutage.run,
  faults: DeliveryFaults.run,
  poison: DeliveryPoison.run,
  disk: DeliveryDisk.run,
  clock: DeliveryClock.run,
  overhead: (_stage, verdicts) => Overhead.run(verdicts),
}

const { values } = parseArgs({
  options: { only: { type: "string" }, quick: { type: "boolean", default: false } },
})
const chosen = values.only?.split(",") ?? Object.keys(parts)
const unknown = chosen.filter((name) => parts[name] === undefined)
if (unknown.length > 0)
  throw new Error(`there is no part ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`)

const verdicts = new Verdicts()
say(machine())
if (values.quick) say("QUICK: counts are shrunk; these are not the figures to show")
const stage: Stage = { bin: FrozenBin.freeze(), programs: await BenchPrograms.bundle(), quick: values.quick }
for (const name of chosen) {
  say(`\n${name}`)
  await parts[name]?.(stage, verdicts)
}
process.exitCode = verdicts.exitCode
