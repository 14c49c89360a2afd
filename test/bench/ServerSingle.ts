import type { Verdicts } from "./Report.js"
import * as ServerBatch from "./ServerBatch.js"
import * as ServerRounds from "./ServerRounds.js"
import * as Samples from "./ServerSamples.js"
import type { ServerStage } from "./ServerStage.js"

/** How much of raw ours must be at so many connections. At 8 there is no bound of its own: that of one connection holds. */
const AT_LEAST = [
  [1, 0.5],
  [8, 0.5],
  [64, 1.3],
] as const

/** Runs posted one by one; raw commits each of them alone. */
export const run = async (stage: ServerStage, verdicts: Verdicts): Promise<void> => {
  await ServerBatch.checkSameWork(stage, verdicts)
  const [warmUp, requests, rounds] = stage.quick ? [200, 600, 2] : [2000, 6000, 6]
  for (const [connections, atLeast] of AT_LEAST) {
    const each = Math.ceil(requests / connections)
    const warm = Math.ceil(warmUp / connections)
    const flows = Array.from({ length: connections }, (_, index): ServerRounds.Flow => {
      const posts = Array.from({ length: warm + each }, (_, n) => Samples.single(`bench-${index}`, n))
      return { warmUp: posts.slice(0, warm), measured: posts.slice(warm) }
    })
    await ServerRounds.race(stage, verdicts, {
      what: `single runs, ${connections} connection${connections === 1 ? "" : "s"}`,
      flows,
      rounds,
      atLeast,
    })
  }
}
