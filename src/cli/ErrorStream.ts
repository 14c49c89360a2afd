import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { coloured, guard, inert, plain, type Style } from "./Ansi.js"
import * as Progress from "./Progress.js"

/** Standard error as this room needs it. */
export interface Stream {
  readonly write: (text: string) => void
  readonly isTerminal: boolean
  readonly columns: () => number
}

/** Of a terminal that does not tell its width. */
const DEFAULT_COLUMNS = 80
const CLEAR_LINE = "\r\u001b[2K"

const label = (style: Style, level: LogLevel.LogLevel): string => {
  if (LogLevel.greaterThanEqual(level, LogLevel.Error)) return style.red("error: ")
  if (LogLevel.greaterThanEqual(level, LogLevel.Warning)) return style.yellow("warning: ")
  return LogLevel.greaterThanEqual(level, LogLevel.Info) ? "" : style.dim("debug: ")
}

const words = (message: unknown): string =>
  (Array.isArray(message) ? message : [message])
    .map((part) => (typeof part === "string" ? part : Inspectable.toStringUnknown(part, 0)))
    .join(" ")

/** One log entry as a person reads it; multi-line messages keep their lines, causes appear only at debug level. */
const entry = (style: Style, options: Logger.Logger.Options<unknown>, withCause: boolean): string => {
  const annotations = Array.from(options.annotations, ([key, value]) => `${key}=${inert(words(value))}`)
  const text = words(options.message).split("\n").map(inert).join("\n")
  const dressed = [label(style, options.logLevel) + text, ...annotations.map(style.dim)].join(" ")
  const cause = withCause && !Cause.isEmpty(options.cause) ? `\n${guard(Cause.pretty(options.cause))}` : ""
  return `${dressed}${cause}\n`
}

/**
 * Everything that is not a command's answer: log lines and progress, on standard error, so that standard output stays the
 * answer's own. On a terminal, progress is one line that is rewritten and that log lines push down; elsewhere plain lines.
 */
export const layer = (
  stream: Stream,
  options: { readonly colour: boolean; readonly debug: boolean },
): Layer.Layer<Progress.ProgressSink> => {
  const style = options.colour ? coloured : plain
  let progress = Progress.start
  let shown = false

  const clear = (): void => {
    if (shown) stream.write(CLEAR_LINE)
    shown = false
  }
  const print = (text: string): void => {
    clear()
    stream.write(text)
  }
  const rewrite = (text: string): void => {
    const room = (stream.columns() || DEFAULT_COLUMNS) - 1
    stream.write(`${CLEAR_LINE}${style.dim(text.length > room ? `${text.slice(0, Math.max(0, room - 1))}…` : text)}`)
    shown = true
  }

  const logger = Logger.make<unknown, void>((log) => print(entry(style, log, options.debug)))
  const sink = Progress.ProgressSink.of({
    show: (event) =>
      Effect.sync(() => {
        progress = Progress.step(progress, event)
        const said = Progress.line(event)
        if (said !== null) print(`${guard(said)}\n`)
        if (stream.isTerminal) rewrite(inert(Progress.status(progress)))
      }),
    clear: Effect.sync(clear),
  })
  return Layer.mergeAll(
    Logger.replace(Logger.defaultLogger, logger),
    options.debug ? Logger.minimumLogLevel(LogLevel.Debug) : Layer.empty,
    Layer.succeed(Progress.ProgressSink, sink),
  )
}
