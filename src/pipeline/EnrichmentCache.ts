import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CurrentRun } from "../../services/CurrentRun.js"
import { type Enrichment, EnrichmentAnswer } from "../domain/Enrichment.js"

const decode = Schema.decodeOption(Schema.parseJson(EnrichmentAnswer))
const encode = Schema.encode(Schema.parseJson(EnrichmentAnswer))

const fileOf = (key: string) =>
  Effect.gen(function* () {
    const path = yield* Path.Path
    const run = yield* CurrentRun
    return Option.map(run.directory, (folder) => path.join(path.dirname(folder), ".cache", "enrichment", `${key}.json`))
  })

/** A whole batch that a provider answered before, under the hash of everything that determines the answer. Never fails. */
export const get = (key: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const file = yield* fileOf(key)
    if (Option.isNone(file)) return Option.none<ReadonlyArray<Enrichment>>()
    const text = yield* Effect.option(fs.readFileString(file.value))
    return Option.map(Option.flatMap(text, decode), (answer) => answer.claims)
  })

/** Keeps a batch for later runs beside the run folders. A cache that cannot be written costs money, not the run. */
export const put = (key: string, claims: ReadonlyArray<Enrichment>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const run = yield* CurrentRun
    const file = yield* fileOf(key)
    if (Option.isNone(file)) return
    const text = yield* encode({ claims })
    // Runs side by side may write the same batch: each writes beside, under its own name.
    const temporary = `${file.value}.${path.basename(Option.getOrElse(run.directory, () => run.runId))}.tmp`
    yield* fs.makeDirectory(path.dirname(file.value), { recursive: true })
    yield* fs.writeFileString(temporary, text)
    yield* fs.rename(temporary, file.value)
  }).pipe(Effect.catchAll((cause) => Effect.logWarning(`The enrichment cache cannot be written: ${cause.message}`)))
