// `npm run bench:server`: how fast the server writes beside one written by hand, how it stands with a million runs, and what it keeps when killed.
// `-- --only batch,single` selects parts, `--quick` shrinks counts for trying out, `--reseed` makes kept databases anew.
// Ends with 3 when a bound is missed.
import { parseArgs } from "node:util"
import { say } from "./DeliveryStage.js"
import { machine, Verdicts } from "./Report.js"
import * as ServerBatch from "./ServerBatch.js"
import * as ServerDiskFull from "./ServerDiskFull.js"
import * as ServerFuzz from "./ServerFuzz.js"
import * as ServerKill from "./ServerKill.js"
import * as ServerMillion from "./ServerMillion.js"
import * as ServerPower from "./ServerPower.js"
import * as ServerSingle from "./ServerSingle.js"
import * as ServerStage from "./ServerStage.js"
import * as ServerStrace from "./ServerStrace.js"

const parts: Readonly<Record<string, (stage: ServerStage.ServerStage, verdicts: Verdicts) => Promise<void>>> = {
  batch: ServerBatch.run,
  single: ServerSingle.run,
  million: ServerMillion.run,
  kill: ServerKill.run,
  power: ServerPower.run,
  strace: ServerStrace.run,
  fuzz: ServerFuzz.run,
  diskfull: ServerDiskFull.run,
}

const CHECK_FAILED = 3

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    reseed: { type: "boolean", default: false },
  },
})
const chosen = values.only?.split(",") ?? Object.keys(parts)
const unknown = chosen.filter((name) => parts[name] === undefined)
if (unknown.length > 0)
  throw new Error(`there is no part ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`)

const verdicts = new Verdicts()
const shrunk = "QUICK: counts are shrunk; these are not the figures to show"
say(machine())
if (values.quick) say(shrunk)
const stage = await ServerStage.make({ quick: values.quick, reseed: values.reseed })
for (const name of chosen) {
  say(`\n${name}`)
  await parts[name]?.(stage, verdicts)
}
say(`\n${machine()}`)
if (values.quick) say(shrunk)
say(verdicts.table())
process.exitCode = verdicts.exitCode === 0 ? 0 : CHECK_FAILED
