import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as RunStoreSql from "../../layers/RunStoreSql.js"
import { RunStore, type RunStoreError } from "../../services/RunStore.js"
import { RunCreate } from "../../src/domain/Run.js"
import * as Repository from "../support/Repository.js"
import { say } from "./DeliveryStage.js"
import * as ServerSeed from "./ServerSeed.js"
import * as ServerSeedModel from "./ServerSeedModel.js"
import type { ServerStage } from "./ServerStage.js"
import * as StoreContent from "./StoreContent.js"

/** A seeded database, and what must be found in it. */
export interface Seeded {
  readonly seed: ServerSeed.Seed
  readonly model: ServerSeedModel.SeedModel
  /** Kept between runs of the bench: to be copied, not written. */
  readonly database: string
}

const FOLDER = path.join(Repository.root, "node_modules", ".cache", "runledger-bench")
const ROWS_AT_ONCE = 1000

const decodeRuns = Schema.decodeUnknownSync(Schema.Array(RunCreate))
const Model = Schema.parseJson(ServerSeedModel.SeedModel)

/** Through the store itself, so that everything it keeps beside the rows is kept. */
const write = (seed: ServerSeed.Seed, database: string): Effect.Effect<ServerSeedModel.SeedModel, RunStoreError> =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const counter = ServerSeedModel.counter(seed)
    let waiting: Array<ServerSeed.SeedRow> = []
    for (let launch = 0; launch < seed.launches; launch += 1) {
      waiting.push(...seed.rowsOf(launch))
      while (waiting.length >= ROWS_AT_ONCE || (launch === seed.launches - 1 && waiting.length > 0)) {
        const rows = waiting.slice(0, ROWS_AT_ONCE)
        waiting = waiting.slice(ROWS_AT_ONCE)
        yield* store.insert(decodeRuns(rows))
        for (const row of rows) counter.add(row)
      }
    }
    return counter.model()
  }).pipe(Effect.provide(RunStoreSql.layer({ path: database })))

const keyOf = (stage: ServerStage, rows: number): string => {
  const schema = createHash("sha256").update(StoreContent.schema(stage.freshDatabase)).digest("hex").slice(0, 12)
  return `seed-${rows}-v${ServerSeed.VERSION}-${schema}`
}

/** Databases of other schemas are of no use any more. */
const forgetOthers = (rows: number, key: string): void => {
  for (const name of fs.readdirSync(FOLDER))
    if (name.startsWith(`seed-${rows}-`) && name !== key)
      fs.rmSync(path.join(FOLDER, name), { recursive: true, force: true })
}

/** A database with so many runs: one that was kept from a run before, or made now. */
export const open = async (stage: ServerStage, rows: number): Promise<Seeded> => {
  const key = keyOf(stage, rows)
  const folder = path.join(FOLDER, key)
  const [database, model] = [path.join(folder, "telemetry.sqlite"), path.join(folder, "model.json")]
  const seed = ServerSeed.make(rows)
  if (stage.reseed || !fs.existsSync(model)) {
    fs.rmSync(folder, { recursive: true, force: true })
    fs.mkdirSync(folder, { recursive: true })
    forgetOthers(rows, key)
    say(`seeding ${rows} runs; they are kept in node_modules/.cache for the next time`)
    const before = performance.now()
    const found = await Effect.runPromise(write(seed, database))
    const seconds = (performance.now() - before) / 1000
    say(
      `seeded in ${seconds.toFixed(0)} s, ${(rows / seconds).toFixed(0)} rows/s, ${(fs.statSync(database).size / 2 ** 20).toFixed(0)} MiB`,
    )
    fs.writeFileSync(model, Schema.encodeSync(Model)(found))
  }
  return { seed, model: Schema.decodeSync(Model)(fs.readFileSync(model, "utf8")), database }
}

/** A copy to work on, already on the disk, so that no later fsync pays for it. */
export const copyInto = (seeded: Seeded, folder: string): void => {
  const copy = path.join(folder, path.basename(seeded.database))
  fs.copyFileSync(seeded.database, copy, fs.constants.COPYFILE_FICLONE)
  const file = fs.openSync(copy, "r+")
  fs.fsyncSync(file)
  fs.closeSync(file)
}
