// `npm run bench:trees [trees] [seed]`: over random trees, leaves = every roll-up = stats = cost, to the unit.
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as TreeStore from "../support/TreeStore.js"

const [many = "10000", seed = "20261124"] = process.argv.slice(2)
const since = performance.now()
const { differences, leaves, rows, trees } = await Effect.runPromise(
  Effect.provide(TreeStore.check(Number(seed), Number(many)), NodeContext.layer),
)
const seconds = (millis: number): string => `${(millis / 1000).toFixed(0)} s`
const { user, system } = process.cpuUsage()
process.stdout.write(
  `${trees} trees of seed ${seed}: ${rows} rows, ${leaves} leaves, ${differences.length} differences; ${seconds(performance.now() - since)}, ${seconds((user + system) / 1000)} of CPU\n`,
)
if (differences.length > 0) {
  process.stdout.write(`${JSON.stringify(differences, null, 2)}\n`)
  process.exitCode = 1
}
