import { existsSync } from "node:fs"
import * as fs from "node:fs/promises"
import * as nodePath from "node:path"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { CurrentRun } from "../services/CurrentRun.js"
import type { EventLogError } from "../services/EventLog.js"
import type { ChainedEvent, SpanContext } from "../src/domain/Event.js"
import { fileName, repeated } from "../src/domain/Ids.js"
import * as OpenSpans from "../src/domain/OpenSpans.js"
import * as Redaction from "../src/domain/Redaction.js"
import * as EventLogNdjson from "./EventLogNdjson.js"
import * as FileProblem from "./FileProblem.js"
import { ensure as ensureFolder } from "./Folder.js"
import * as LeftOpen from "./LeftOpen.js"
import * as PrivateFile from "./PrivateFile.js"
import * as RunLock from "./RunLock.js"
import * as RunNames from "./RunNames.js"
import * as RunPlace from "./RunPlace.js"

/**
 * The run's folder cannot be used. `owned` bears the live owner's process id. `message` says what is wrong with which path
 * and what to do.
 */
export class RunFolderError extends Data.TaggedError("RunFolderError")<{
  readonly reason: "invalid" | "not_found" | "not_a_folder" | "owned" | "unusable"
  readonly path: string
  readonly message: string
  readonly pid?: number
  readonly cause?: unknown
}> {}

export interface Options {
  /** Where run folders are; made when absent. */
  readonly runsDir: string
  readonly runId: string
  /** Take up an ended or dead run under its old id, rather than begin a new one. */
  readonly resume: boolean
  /** Kept in `run_config.json`, without secrets. A resumed run keeps the one it began with. */
  readonly config: unknown
  readonly parentRunId?: string | undefined
  /** Where a caller places a new run in a trace; a resumed one goes on where its log says. */
  readonly trace?: RunPlace.Place | undefined
}

const CONFIG_FILE = "run_config.json"
const MAX_REPEATS = 10_000

interface Folder {
  readonly runId: string
  readonly path: string
}

const unusable = (action: string, path: string) => (cause: unknown) =>
  new RunFolderError({ reason: "unusable", path, message: FileProblem.explain(action, path, cause), cause })

const attempt = <A>(action: string, path: string, evaluate: () => Promise<A>): Effect.Effect<A, RunFolderError> =>
  Effect.tryPromise({ try: evaluate, catch: unusable(action, path) })

const isInside = (folder: string, path: string): boolean => nodePath.dirname(path) === folder

const notAFolder = (path: string, what: string, cause?: unknown) =>
  new RunFolderError({
    reason: "not_a_folder",
    path,
    message: `${path} is ${what} where a folder is needed: move it away or choose another runs folder`,
    cause,
  })

/** The runs folder. A new one tells git to leave it alone: prompts and answers lie in it. */
const openRoot = (runsDir: string): Effect.Effect<string, RunFolderError> => {
  const path = nodePath.resolve(runsDir)
  return Effect.tryPromise({
    try: async () => {
      const isNew = !existsSync(path)
      ensureFolder(path)
      if (isNew) await fs.writeFile(nodePath.join(path, ".gitignore"), "*\n")
      return await fs.realpath(path)
    },
    catch: (cause) =>
      FileProblem.code(cause) === "EEXIST" || FileProblem.code(cause) === "ENOTDIR"
        ? notAFolder(path, "a file, or lies under one,", cause)
        : unusable("make the runs folder", path)(cause),
  })
}

const folderOf = (root: string, runId: string): Effect.Effect<string, RunFolderError> => {
  const path = nodePath.join(root, fileName(runId))
  return runId !== "" && isInside(root, path)
    ? Effect.succeed(path)
    : new RunFolderError({ reason: "invalid", path: root, message: `"${runId}" is no run id: give a non-empty one` })
}

const makeNew = async (path: string): Promise<boolean> => {
  try {
    await fs.mkdir(path)
    return true
  } catch (cause) {
    if (FileProblem.code(cause) === "EEXIST") return false
    throw cause
  }
}

/** The first of `id`, `id~2`, `id~3` … whose folder could be made here and now. */
const createFolder = (root: string, runId: string): Effect.Effect<Folder, RunFolderError> =>
  Effect.gen(function* () {
    for (let use = 1; use <= MAX_REPEATS; use++) {
      const id = repeated(runId, use)
      const path = yield* folderOf(root, id)
      if (yield* attempt("make the run's folder", path, () => makeNew(path))) return { runId: id, path }
    }
    return yield* new RunFolderError({
      reason: "unusable",
      path: root,
      message: `${root} holds ${MAX_REPEATS} runs named ${runId}: choose another run id or runs folder`,
    })
  })

const findFolder = (root: string, runId: string): Effect.Effect<Folder, RunFolderError> =>
  Effect.gen(function* () {
    const path = yield* folderOf(root, runId)
    const stat = yield* Effect.tryPromise({
      try: () => fs.lstat(path),
      catch: (cause) =>
        FileProblem.code(cause) === "ENOENT"
          ? new RunFolderError({
              reason: "not_found",
              path,
              message: `there is no run ${runId} in ${root}: list the runs there with runledger runs --local, or name another runs folder`,
              cause,
            })
          : unusable("look at the run's folder", path)(cause),
    })
    if (stat.isSymbolicLink()) return yield* notAFolder(path, "a link (links are not followed)")
    return stat.isDirectory() ? { runId, path } : yield* notAFolder(path, "a file")
  })

const whose = (path: string, taken: RunLock.Taken): string =>
  taken._tag === "Owned"
    ? `belongs to process ${taken.owner.pid}, which is still running: wait for it, stop that process, or begin a run of your own`
    : `is not free, ${RunLock.doubt(path, taken.where)}: if it is not, remove that lock file and try again`

const owned = (folder: Folder, taken: RunLock.Taken) =>
  new RunFolderError({
    reason: "owned",
    path: folder.path,
    ...(taken._tag === "Owned" ? { pid: taken.owner.pid } : {}),
    message: `run ${folder.runId} ${whose(folder.path, taken)}`,
  })

const lock = (folder: Folder): Effect.Effect<RunLock.Held, RunFolderError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.flatMap(
      attempt("lock the run's folder", folder.path, () => RunLock.acquire(folder.path)),
      Either.match({ onLeft: (taken) => owned(folder, taken), onRight: (held) => Effect.succeed(held) }),
    ),
    (held) =>
      attempt("unlock the run's folder", folder.path, () => RunLock.release(folder.path, held)).pipe(
        Effect.catchAllCause((cause) => Effect.logWarning(`${folder.path} could not be unlocked`, cause)),
      ),
  )

const furnish = async (path: string): Promise<void> => {
  PrivateFile.folder(nodePath.join(path, "artifacts"), 0o777)
  PrivateFile.folder(nodePath.join(path, "drafts"), 0o777)
  PrivateFile.folder(nodePath.join(path, "reports"), 0o777)
  PrivateFile.folder(nodePath.join(path, "evidence"), PrivateFile.FOLDER_MODE)
  PrivateFile.folder(nodePath.join(path, "evidence", "llm_calls"), PrivateFile.FOLDER_MODE)
}

const configText = (config: unknown): string => {
  const plain: unknown = JSON.parse(JSON.stringify(config ?? {}))
  return `${JSON.stringify(Redaction.make().redact(plain).value, null, 2)}\n`
}

const writeConfig = (path: string, config: unknown, resume: boolean): Effect.Effect<void, RunFolderError> => {
  const file = nodePath.join(path, CONFIG_FILE)
  return attempt("write", file, async () => {
    const kept = resume && (await fs.lstat(file).catch(() => undefined)) !== undefined
    if (!kept) await PrivateFile.replace(file, configText(config), "process")
  })
}

/** What the log of an earlier process tells about the run. */
interface Past {
  readonly trace: SpanContext | undefined
  readonly parentRunId: string | undefined
}

const NO_PAST: Past = { trace: undefined, parentRunId: undefined }

const spanOf = ({ trace_id, span_id, parent_span_id }: SpanContext): SpanContext =>
  parent_span_id === undefined ? { trace_id, span_id } : { trace_id, span_id, parent_span_id }

/** Every event of the run's log, learnt from as it is read; a run that has no log yet has no past. */
const readPast = (
  path: string,
  names: RunNames.RunNames,
  spans: OpenSpans.OpenSpans<ChainedEvent>,
): Effect.Effect<Past, EventLogError | RunFolderError> => {
  const file = nodePath.join(path, EventLogNdjson.FILE)
  const isThere = attempt("look at", file, () =>
    fs.lstat(file).then(
      () => true,
      () => false,
    ),
  )
  const past = Stream.runFold(EventLogNdjson.readAll(file), NO_PAST, (known, event): Past => {
    names.learn(event)
    spans.step(OpenSpans.markOf(event), event)
    if (event.type !== "RUN_CREATED" || known.trace !== undefined) return known
    return { trace: spanOf(event), parentRunId: event.payload.parent_run_id ?? undefined }
  })
  return Effect.flatMap(isThere, (found) => (found ? past : Effect.succeed(NO_PAST)))
}

const remainsOf = ({ before }: RunLock.Held, spans: OpenSpans.OpenSpans<ChainedEvent>): LeftOpen.Remains =>
  LeftOpen.isOfTheDead(before !== undefined, spans.isRunOpen())
    ? { spans: spans.open(), lastSign: spans.lastSign() ?? null, pid: before?.owner?.pid }
    : LeftOpen.NOTHING

const make = (
  options: Options,
): Effect.Effect<Context.Context<CurrentRun | LeftOpen.LeftOpen>, RunFolderError, Scope.Scope> =>
  Effect.gen(function* () {
    const root = yield* openRoot(options.runsDir)
    const folder = yield* options.resume ? findFolder(root, options.runId) : createFolder(root, options.runId)
    const held = yield* lock(folder)
    yield* attempt("make the folders of", folder.path, () => furnish(folder.path))
    yield* writeConfig(folder.path, options.config, options.resume)
    const names = RunNames.make()
    const spans = OpenSpans.make<ChainedEvent>()
    const past = yield* Effect.mapError(readPast(folder.path, names, spans), (error) =>
      error._tag === "RunFolderError"
        ? error
        : new RunFolderError({ reason: "unusable", path: error.path, message: error.message, cause: error }),
    )
    const run = CurrentRun.of({
      runId: folder.runId,
      parentRunId: Option.fromNullable(options.parentRunId ?? past.parentRunId),
      directory: Option.some(folder.path),
      trace: RunPlace.resolve(folder.runId, options.resume ? past.trace : options.trace),
      resumed: options.resume,
      uniqueCallId: names.uniqueCallId,
      nextAttempt: names.nextAttempt,
    })
    return Context.make(CurrentRun, run).pipe(Context.add(LeftOpen.LeftOpen, remainsOf(held, spans)))
  })

/**
 * A run with a folder of its own under `runsDir`. A new run's folder is made exclusively (`~2` … when the name is taken, and
 * the run id says so too). A resumed run's folder must exist and must not belong to a live process; its log tells the trace,
 * the call ids and the attempts already used, and what a dead process left open (`LeftOpen.closed` closes it). The folder is locked until the layer's scope closes, however it closes.
 */
export const layer = (options: Options): Layer.Layer<CurrentRun | LeftOpen.LeftOpen, RunFolderError> =>
  Layer.scopedContext(make(options))
