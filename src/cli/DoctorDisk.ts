import { readdir, stat, statfs } from "node:fs/promises"
import { join } from "node:path"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Finding, fail, ok, warn } from "./DoctorFinding.js"

/** Below this the log and the database stop within minutes. */
const FULL_BYTES = 64 * 1024 ** 2
const LOW_BYTES = 1024 ** 3
const LOW_SHARE = 0.03

const existingParent = (folder: string): Effect.Effect<string, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const there = yield* Effect.orElseSucceed(fs.exists(folder), () => false)
    const parent = path.dirname(folder)
    return there || parent === folder ? folder : yield* existingParent(parent)
  })

/** The runs folder, or where it would be made, takes a file. */
export const writable = (folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const place = yield* existingParent(folder)
    return yield* Effect.scoped(fs.makeTempFileScoped({ directory: place, prefix: ".runledger-doctor-" })).pipe(
      Effect.as(ok("runs folder", `${folder} can be written`)),
      Effect.orElseSucceed(() =>
        fail(
          "runs folder",
          `${place} cannot be written`,
          "Give yourself write permission there, or name another folder with RUNLEDGER_RUNS_DIR or --runs-dir.",
        ),
      ),
    )
  })

/** Bytes of every file below a folder; what vanishes or cannot be read meanwhile counts nothing. */
const sizeOf = (folder: string): Effect.Effect<number> =>
  Effect.tryPromise(() => readdir(folder, { recursive: true, withFileTypes: true })).pipe(
    Effect.orElseSucceed(() => []),
    Effect.flatMap((entries) =>
      Effect.forEach(
        entries.filter((entry) => entry.isFile()),
        (entry) =>
          Effect.tryPromise(() => stat(join(entry.parentPath, entry.name))).pipe(
            Effect.map(({ size }) => size),
            Effect.orElseSucceed(() => 0),
          ),
        { concurrency: 16 },
      ),
    ),
    Effect.map((sizes) => sizes.reduce((sum, size) => sum + size, 0)),
  )

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const

/** Bytes as people say them. */
export const bytes = (amount: number): string => {
  const step = amount < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(amount) / 10))
  return `${(amount / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${UNITS[step]}`
}

/** What a disk of `total` bytes with `free` of them left means for the runs, which take `used`. */
export const judged = (place: string, free: number, total: number, used: number): Finding => {
  const said = `${bytes(free)} of ${bytes(total)} free at ${place}, the runs take ${bytes(used)}`
  if (free < FULL_BYTES) return fail("disk", said, "Make room: a full disk stops the event log and the database.")
  return free < LOW_BYTES || free < total * LOW_SHARE
    ? warn("disk", said, "The disk is nearly full. Make room, or move old runs elsewhere once they are delivered.")
    : ok("disk", said)
}

/** The room that is left where runs are written, and what they take of it. */
export const disk = (folder: string) =>
  Effect.gen(function* () {
    const place = yield* existingParent(folder)
    const used = yield* sizeOf(folder)
    return Option.match(yield* Effect.option(Effect.tryPromise(() => statfs(place))), {
      onNone: () => warn("disk", `the free space of ${place} is unknown`, "Look at it yourself."),
      onSome: (info) => judged(place, info.bavail * info.bsize, info.blocks * info.bsize, used),
    })
  })
