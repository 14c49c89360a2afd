import type { Verdicts } from "./Report.js"
import { withConnections, write } from "./ServerLoad.js"
import * as ServerRounds from "./ServerRounds.js"
import * as Samples from "./ServerSamples.js"
import { type ContenderName, type ServerStage, withContender } from "./ServerStage.js"
import * as StoreContent from "./StoreContent.js"

const AT_LEAST = 0.7

/** A little of everything that the races send, one request after the other, so that both stores number rows alike. */
const everything = (): ReadonlyArray<Samples.Post> => [
  Samples.batch("same-1", 0),
  ...Samples.operations("same-2", 4),
  Samples.batch("same-1", 1),
  Samples.batch("same-1", 1),
  ...Array.from({ length: 30 }, (_, n) => Samples.single("same-3", n)),
  ...Samples.operations("same-2", 2),
  ...Samples.nested("same-4"),
]

const contentAfter = (stage: ServerStage, name: ContenderName, posts: ReadonlyArray<Samples.Post>) =>
  withContender(
    stage,
    name,
    ({ url }) =>
      withConnections(url, 1, async (connection) => {
        for (const { path, body } of posts) await write(connection, path, body)
      }),
    (database) => StoreContent.of(database),
  )

/** A race is worth nothing unless both do the same: after the same requests both stores hold the same in every table. */
export const checkSameWork = async (stage: ServerStage, verdicts: Verdicts): Promise<void> => {
  const posts = everything()
  const ours = await contentAfter(stage, "ours", posts)
  const raw = await contentAfter(stage, "raw", posts)
  const different = StoreContent.differences(ours, raw)
  const rows = [...ours].map(([table, content]) => `${table} ${content.rows}`).join(", ")
  verdicts.same(
    different.length === 0
      ? `after the same requests both stores hold the same (${rows})`
      : `after the same requests the stores differ in ${different.join("; ")}`,
    different.length === 0 && (ours.get("runs")?.rows ?? 0) > 0,
  )
}

const flow = (posts: ReadonlyArray<Samples.Post>, warmUp: number): ServerRounds.Flow => ({
  warmUp: posts.slice(0, warmUp),
  measured: posts.slice(warmUp),
})

/** Batches of 100 runs and of 200 operations, beside the server by hand. */
export const run = async (stage: ServerStage, verdicts: Verdicts): Promise<void> => {
  await checkSameWork(stage, verdicts)
  const [warmUp, requests, rounds] = stage.quick ? [5, 20, 2] : [60, 240, 6]
  for (const connections of [1, 4]) {
    const each = Math.ceil(requests / connections)
    const warm = Math.ceil(warmUp / connections)
    const names = Array.from({ length: connections }, (_, index) => `bench-${index}`)
    await ServerRounds.race(stage, verdicts, {
      what: `batches of ${Samples.BATCH_ROWS} runs, ${connections} connection${connections === 1 ? "" : "s"}`,
      flows: names.map((name) =>
        flow(
          Array.from({ length: warm + each }, (_, n) => Samples.batch(name, n)),
          warm,
        ),
      ),
      rounds,
      atLeast: AT_LEAST,
    })
    await ServerRounds.race(stage, verdicts, {
      what: `operations by ${Samples.OPERATIONS}, ${connections} connection${connections === 1 ? "" : "s"}`,
      flows: names.map((name) => flow(Samples.operations(name, warm + each), warm)),
      rounds,
      atLeast: AT_LEAST,
    })
  }
}
