import * as Command from "@effect/platform/Command"
import * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as GitUrl from "../domain/GitUrl.js"

/** git said no, is not there, or did not answer in time. `said` is its own words without credentials. */
export class GitError extends Data.TaggedError("GitError")<{
  readonly reason: "Failed" | "Missing" | "TimedOut"
  readonly said: string
  readonly cause?: unknown
}> {}

// An input repository is untrusted: it may not run hooks, monitors, filters or helpers, and nothing may ask for a password.
const GUARDS = [
  "-c",
  "protocol.allow=never",
  "-c",
  "protocol.https.allow=always",
  "-c",
  "protocol.ssh.allow=always",
  "-c",
  "protocol.file.allow=always",
  "-c",
  "core.hooksPath=/dev/null",
  "-c",
  "core.fsmonitor=false",
  "-c",
  "log.showSignature=false",
  "-c",
  "advice.detachedHead=false",
]

const ENVIRONMENT = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_ASKPASS: "",
  SSH_ASKPASS: "",
  GIT_SSH_COMMAND: "ssh -oBatchMode=yes -oConnectTimeout=15",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_LFS_SKIP_SMUDGE: "1",
  LC_ALL: "C",
}

const text = <E>(stream: Stream.Stream<Uint8Array, E>) =>
  stream.pipe(
    Stream.decodeText(),
    Stream.runFold("", (all, part) => (all.length > 4_000_000 ? all : all + part)),
  )

const translated = (cause: { readonly message: string; readonly reason?: string }): GitError =>
  cause.reason === "NotFound"
    ? new GitError({ reason: "Missing", said: "git was not found; install git and have it on the PATH", cause })
    : new GitError({ reason: "Failed", said: GitUrl.withoutCredentials(cause.message), cause })

/** What git prints. Killed when it takes longer than `within`, or when the fiber is interrupted. */
export const run = (
  args: ReadonlyArray<string>,
  within: Duration.DurationInput,
): Effect.Effect<string, GitError, CommandExecutor.CommandExecutor> =>
  Effect.scoped(
    Effect.gen(function* () {
      const executor = yield* CommandExecutor.CommandExecutor
      const process = yield* executor.start(Command.make("git", ...GUARDS, ...args).pipe(Command.env(ENVIRONMENT)))
      const [out, said, code] = yield* Effect.all([text(process.stdout), text(process.stderr), process.exitCode], {
        concurrency: "unbounded",
      })
      if (code === 0) return out
      return yield* new GitError({ reason: "Failed", said: GitUrl.withoutCredentials(said.trim()) })
    }),
  ).pipe(
    Effect.catchTags({
      BadArgument: (cause) => Effect.fail(translated(cause)),
      SystemError: (cause) => Effect.fail(translated(cause)),
    }),
    Effect.timeoutFail({
      duration: within,
      onTimeout: () => new GitError({ reason: "TimedOut", said: "git did not answer in time" }),
    }),
  )
