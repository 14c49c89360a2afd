import * as Runtime from "@effect/platform/Runtime"
import * as SecretText from "../domain/SecretText.js"
import { inert } from "./Ansi.js"
import { ExitCode } from "./CommandError.js"

/** Each asks the program to end. A terminal that is closed sends SIGHUP. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const

/** Longest that what is open may take to close after an exception that nobody caught: a flush of telemetry fits well. */
const CLOSING_MS = 10_000

const CLEAR_LINE = "\r\u001b[2K"
const MAX_WORDS = 2000

const clean = (text: string): string => SecretText.clean(text.slice(0, MAX_WORDS), []).text

const wordsOf = (problem: unknown): string =>
  inert(clean(problem instanceof Error ? `${problem.name}: ${problem.message}` : String(problem)))

const report = (problem: unknown, debug: boolean): void => {
  const { stderr } = process
  const what = `error: Something unforeseen happened outside the command's own work: ${wordsOf(problem)}. What is open is closed now.`
  const stack = problem instanceof Error ? clean(problem.stack ?? "") : ""
  stderr.write(stderr.isTTY ? CLEAR_LINE : "")
  stderr.write(debug ? `${what}\n${stack}\n` : `${what} Run again with --log-level debug to see where.\n`)
}

/**
 * Runs a command's program as this process. SIGINT, SIGTERM and SIGHUP interrupt it, so that it closes what it has open; a
 * second one, while it closes, ends the process at once. An exception or a rejection that nobody caught is said in one line
 * and interrupts it too, for ten seconds at most; the process fails then. Otherwise `teardown` says the exit code. Everything
 * that an event log's `append` returned from stays, however the process ends.
 */
export const runMain = ({ debug }: { readonly debug: boolean }): Runtime.RunMain =>
  Runtime.makeRunMain(({ fiber, teardown }) => {
    const keepAlive = setInterval(() => {}, 2 ** 31 - 1)
    let code: number | undefined
    let ended = false

    const leave = (asked: number): void => {
      const isClosing = code !== undefined
      code = asked
      if (!isClosing) fiber.unsafeInterruptAsFork(fiber.id())
    }
    const onSignal = (): void => {
      if (code !== undefined) process.exit(code)
      leave(ExitCode.interrupted)
    }
    const onProblem = (problem: unknown): void => {
      if (code === ExitCode.failed) return
      report(problem, debug)
      if (ended) process.exit(ExitCode.failed)
      leave(ExitCode.failed)
      setTimeout(() => process.exit(ExitCode.failed), CLOSING_MS)
    }

    fiber.addObserver((exit) => {
      ended = true
      clearInterval(keepAlive)
      if (code === ExitCode.failed) process.exit(code)
      if (code === undefined) for (const signal of SIGNALS) process.removeListener(signal, onSignal)
      teardown(exit, (result) => {
        if (code !== undefined || result !== 0) process.exit(result)
      })
    })
    for (const signal of SIGNALS) process.on(signal, onSignal)
    process.on("uncaughtException", onProblem)
    process.on("unhandledRejection", onProblem)
  })
