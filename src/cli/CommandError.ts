import * as Data from "effect/Data"

/** The exit codes of every command. SIGTERM ends like Ctrl-C. */
export const ExitCode = { done: 0, usage: 1, failed: 2, checkFailed: 3, interrupted: 130 } as const

/** A command could not do what it was asked. `message` says what happened and what to do next; the code is the process's. */
export class CommandError extends Data.TaggedError("CommandError")<{
  readonly exitCode: 1 | 2 | 3
  readonly message: string
  readonly cause?: unknown
}> {}

/** Wrong words or settings: exit code 1. */
export const usage = (message: string, cause?: unknown): CommandError =>
  new CommandError({ exitCode: ExitCode.usage, message, cause })

/** The work was tried and failed: exit code 2. */
export const failure = (message: string, cause?: unknown): CommandError =>
  new CommandError({ exitCode: ExitCode.failed, message, cause })

/** A check found something wrong: exit code 3. What was found has been printed already. */
export const checkFailed = (message: string): CommandError =>
  new CommandError({ exitCode: ExitCode.checkFailed, message })
