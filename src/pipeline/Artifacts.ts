import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { CurrentRun } from "../../services/CurrentRun.js"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import { Recorder } from "../telemetry/Recorder.js"

/** A file of the run could not be written. `message` names the file and the next step. */
export class ArtifactError extends Data.TaggedError("ArtifactError")<{
  readonly path: string
  readonly message: string
  readonly cause?: unknown
}> {}

/** What is written: `path` is relative to the run's folder, with `/`. */
export interface Artifact {
  readonly name: string
  readonly path: string
  readonly text: string
  /** Null for what has no schema, such as Markdown. */
  readonly schemaId: string | null
  readonly worker: string
}

export const SCHEMA_VERSION = 1

/** How an artifact's shape is named: `runledger/<name>@1`. */
export const schemaId = (name: string): string => `runledger/${name}@${SCHEMA_VERSION}`

/** The run's folder, absolute. */
export const runFolder: Effect.Effect<string, ArtifactError, CurrentRun> = Effect.flatMap(CurrentRun, (run) =>
  Option.match(run.directory, {
    onSome: Effect.succeed,
    onNone: () =>
      Effect.fail(
        new ArtifactError({
          path: "",
          message: `The run ${run.runId} has no folder to write to. Provide CurrentRunFolder to launch the pipeline.`,
        }),
      ),
  }),
)

const sorted = (value: unknown): string => `${JSON.stringify(JSON.parse(CanonicalJson.stringify(value)), null, 2)}\n`

/** Writes a file of the run whole or not at all: beside it first, then renamed. Makes the folders it needs. */
export const writeFile = (
  relative: string,
  text: string,
): Effect.Effect<void, ArtifactError, CurrentRun | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.join(yield* runFolder, relative)
    const temporary = path.join(path.dirname(file), `.${path.basename(file)}.tmp`)
    yield* fs.makeDirectory(path.dirname(file), { recursive: true }).pipe(
      Effect.zipRight(fs.writeFileString(temporary, text)),
      Effect.zipRight(fs.rename(temporary, file)),
      Effect.tapError(() => Effect.ignore(fs.remove(temporary))),
      Effect.mapError((cause) => {
        const message = `${file} cannot be written: ${cause.message}. Check the folder's permissions and the free disk space, then resume the run.`
        return new ArtifactError({ path: file, message, cause })
      }),
    )
  })

/** Writes an artifact and records it; gives its sha256. */
export const write = (
  artifact: Artifact,
): Effect.Effect<string, ArtifactError, CurrentRun | Recorder | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    const sha256 = CanonicalJson.sha256Hex(artifact.text)
    yield* writeFile(artifact.path, artifact.text)
    yield* recorder.record({
      type: "ARTIFACT_WRITTEN",
      payload: {
        name: artifact.name,
        path: artifact.path,
        sha256,
        schema_id: artifact.schemaId,
        writer_worker: artifact.worker,
      },
    })
    return sha256
  })

/** Writes `artifacts/<name>.json`: keys sorted, so that equal values are equal bytes. */
export const writeJson = <A, I>(name: string, schema: Schema.Schema<A, I>, value: A, worker: string) =>
  Effect.flatMap(Effect.orDie(Schema.encode(schema)(value)), (encoded) =>
    write({ name, path: `artifacts/${name}.json`, text: sorted(encoded), schemaId: schemaId(name), worker }),
  )

/** Writes a JSON file of the run that is no artifact. */
export const writeState = <A, I>(path: string, schema: Schema.Schema<A, I>, value: A) =>
  Effect.flatMap(Effect.orDie(Schema.encode(schema)(value)), (encoded) => writeFile(path, sorted(encoded)))
