import { realpathSync } from "node:fs"
import * as fs from "node:fs/promises"
import * as nodePath from "node:path"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { CurrentRun } from "../services/CurrentRun.js"
import { EvidenceError, EvidenceStore, type EvidenceStoreService } from "../services/EvidenceStore.js"
import { type Capture, Evidence } from "../src/domain/Evidence.js"
import { fileName } from "../src/domain/Ids.js"
import * as KeptEvidence from "../src/domain/KeptEvidence.js"
import * as Redaction from "../src/domain/Redaction.js"
import * as EvidenceIndex from "./EvidenceIndex.js"
import * as FileProblem from "./FileProblem.js"
import * as PrivateFile from "./PrivateFile.js"

export interface Options {
  readonly capture: Capture
  /** Secrets known beforehand: they are removed wherever they appear, whatever they look like. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

const FOLDER = "evidence/llm_calls"
const MAX_BYTES = 256 * 1024 * 1024
const READ_CONCURRENCY = 8
/** Up to here a file is written at once: handing it to another thread and back takes longer. */
const AT_ONCE_CHARACTERS = 256 * 1024

const relativePath = (callId: string): string => `${FOLDER}/${fileName(callId)}.json`

const failure = (operation: "put" | "get", path: string, action: string) => (cause: unknown) =>
  new EvidenceError({ operation, path, message: FileProblem.explain(action, path, cause), cause })

const attempt = <A>(operation: "put" | "get", action: string, path: string, evaluate: () => Promise<A>) =>
  Effect.tryPromise({ try: evaluate, catch: failure(operation, path, action) })

const decode = Schema.decodeUnknownEither(Schema.parseJson(Evidence))

const leavesRun = (path: string) =>
  new Error("it leads out of the run's folder through a link; put a real folder there", { cause: path })

/** The evidence folder of a run, resolved; rejects when a link leads elsewhere, `undefined` when it is not there. */
const resolveFolder = async (runDirectory: string): Promise<string | undefined> => {
  const path = nodePath.join(runDirectory, FOLDER)
  try {
    const [run, folder] = await Promise.all([fs.realpath(runDirectory), fs.realpath(path)])
    if (folder !== nodePath.join(run, FOLDER)) throw leavesRun(folder)
    return folder
  } catch (cause) {
    if (FileProblem.code(cause) === "ENOENT") return undefined
    throw cause
  }
}

/** The evidence folder of a run, made where it is missing, resolved; throws when a link leads elsewhere. */
const makeFolder = (runDirectory: string): string => {
  const path = nodePath.join(runDirectory, FOLDER)
  PrivateFile.folder(nodePath.join(runDirectory, "evidence"), PrivateFile.FOLDER_MODE)
  PrivateFile.folder(path, PrivateFile.FOLDER_MODE)
  const folder = realpathSync.native(path)
  if (folder !== nodePath.join(realpathSync.native(runDirectory), FOLDER)) throw leavesRun(folder)
  return folder
}

/** One file's evidence; none when there is no file, a failure when it cannot be read or understood. */
const readFile = (path: string): Effect.Effect<Option.Option<Evidence>, EvidenceError> =>
  Effect.flatMap(
    attempt("get", "read the evidence", path, () => PrivateFile.read(path, MAX_BYTES)),
    (text) =>
      text === undefined
        ? Effect.succeedNone
        : Either.match(decode(text), {
            onLeft: (cause) =>
              new EvidenceError({
                operation: "get",
                path,
                message: `${path} is damaged: it is not evidence of a call; move it away`,
                cause,
              }),
            onRight: (evidence) => Effect.succeedSome(evidence),
          }),
  )

const skipDamaged = Effect.catchAll((error: EvidenceError) =>
  Effect.as(Effect.logWarning(`Left out of the evidence: ${error.message}`), Option.none<Evidence>()),
)

const listFiles = async (runDirectory: string): Promise<ReadonlyArray<string>> => {
  const folder = await resolveFolder(runDirectory)
  if (folder === undefined) return []
  const names = await fs.readdir(folder)
  return names
    .filter((name) => name.endsWith(".json") && !name.startsWith("."))
    .map((name) => nodePath.join(folder, name))
}

/** Every answer of a run that may be used again, by prompt. Damaged files are skipped with a warning. */
const buildIndex = (runDirectory: string): Effect.Effect<EvidenceIndex.EvidenceIndex, EvidenceError> =>
  Effect.gen(function* () {
    const index = EvidenceIndex.make()
    const files = yield* attempt("get", "list the evidence in", nodePath.join(runDirectory, FOLDER), () =>
      listFiles(runDirectory),
    )
    yield* Effect.forEach(
      files,
      (file) =>
        Effect.map(
          skipDamaged(readFile(file)),
          Option.map((evidence) => index.set(evidence)),
        ),
      { concurrency: READ_CONCURRENCY, discard: true },
    )
    return index
  })

const textOf = (evidence: Evidence): string => `${JSON.stringify(evidence, null, 2)}\n`

/**
 * The evidence of a run by its folder, such as an earlier run's for replay. The folder need not exist. The index of answers
 * is built from the files at the first search, then kept.
 */
export const fromDirectory = (runDirectory: string, options: Options): Effect.Effect<EvidenceStoreService> =>
  Effect.gen(function* () {
    const root = nodePath.resolve(runDirectory)
    const redactor = Redaction.make(options.secrets.map(Redacted.value))
    const oneAtATime = (yield* Effect.makeSemaphore(1)).withPermits(1)
    let index: EvidenceIndex.EvidenceIndex | undefined

    const indexed = oneAtATime(
      Effect.suspend(() =>
        index === undefined
          ? Effect.tap(buildIndex(root), (built) => Effect.sync(() => (index = built)))
          : Effect.succeed(index),
      ),
    )

    const writeFile = (path: string, text: string): Effect.Effect<void, EvidenceError> => {
      const place = () => nodePath.join(makeFolder(root), nodePath.basename(path))
      return text.length <= AT_ONCE_CHARACTERS
        ? Effect.try({
            try: () => PrivateFile.replaceNow(place(), text),
            catch: failure("put", path, "write the evidence"),
          })
        : attempt("put", "write the evidence", path, async () => PrivateFile.replace(place(), text, "process"))
    }

    const write = (evidence: Evidence): Effect.Effect<void, EvidenceError> =>
      Effect.zipRight(
        Effect.suspend(() => writeFile(nodePath.join(root, relativePath(evidence.call_id)), textOf(evidence))),
        oneAtATime(Effect.sync(() => index?.set(evidence))),
      )

    const get = (callId: string): Effect.Effect<Option.Option<Evidence>, EvidenceError> =>
      Effect.gen(function* () {
        const folder = yield* attempt("get", "open", nodePath.join(root, FOLDER), () => resolveFolder(root))
        if (folder === undefined) return Option.none()
        const found = yield* readFile(nodePath.join(folder, `${fileName(callId)}.json`))
        return Option.filter(found, (evidence) => evidence.call_id === callId)
      })

    const firstThatAnswers = (promptHash: string, callIds: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        for (const callId of callIds) {
          const found = yield* skipDamaged(get(callId))
          const usable = Option.filter(found, (it) => it.prompt_hash === promptHash && KeptEvidence.mayAnswer(it))
          if (Option.isSome(usable)) return usable
        }
        return Option.none<Evidence>()
      })

    return EvidenceStore.of({
      capture: options.capture,
      pathOf: (callId) => (options.capture === "off" ? null : relativePath(callId)),
      put: (evidence) =>
        Option.match(KeptEvidence.keep(evidence, options.capture, redactor), {
          onNone: () => Effect.void,
          onSome: write,
        }),
      get,
      findByPrompt: (promptHash) =>
        Effect.flatMap(indexed, (answers) => firstThatAnswers(promptHash, answers.callsOf(promptHash))),
    })
  })

const make = (options: Options): Effect.Effect<EvidenceStoreService, EvidenceError, CurrentRun> =>
  Effect.flatMap(CurrentRun, ({ directory, runId }) =>
    Option.match(directory, {
      onSome: (folder) => fromDirectory(folder, options),
      onNone: () =>
        new EvidenceError({
          operation: "put",
          path: FOLDER,
          message: `run ${runId} has no folder to keep evidence in: give it one with CurrentRunFolder, or use EvidenceStoreMemory`,
        }),
    }),
  )

/**
 * Keeps evidence in the current run's `evidence/llm_calls/`: a file a call, mode 0600, whole or not at all. Secrets are gone
 * before anything is written. No link is followed, and nothing is written outside of the run's folder. Damaged files are skipped with a log
 * warning when answers are searched. Fails to build only when the run has no folder.
 */
export const layer = (options: Options): Layer.Layer<EvidenceStore, EvidenceError, CurrentRun> =>
  Layer.effect(EvidenceStore, make(options))

/** {@link layer} with `RUNLEDGER_CAPTURE`: `redacted` (the default), `full`, `hash` or `off`. */
export const layerConfig = (
  secrets: Options["secrets"],
): Layer.Layer<EvidenceStore, EvidenceError | ConfigError, CurrentRun> =>
  Layer.unwrapEffect(
    Effect.map(
      Config.literal("redacted", "full", "hash", "off")("RUNLEDGER_CAPTURE").pipe(Config.withDefault("redacted")),
      (capture) => layer({ capture, secrets }),
    ),
  )
