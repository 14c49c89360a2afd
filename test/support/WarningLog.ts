import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"

/** What a program logged, in place of printing it. */
export interface WarningLog {
  readonly layer: Layer.Layer<never>
  readonly warnings: () => ReadonlyArray<string>
  readonly all: () => ReadonlyArray<string>
}

export const make = (): WarningLog => {
  const lines: Array<{ readonly level: LogLevel.LogLevel; readonly text: string }> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message, annotations }) => {
    const words = Array.isArray(message) ? message.map(String).join(" ") : String(message)
    lines.push({ level: logLevel, text: HashMap.size(annotations) === 0 ? words : `${words} ${String(annotations)}` })
  })
  return {
    layer: Layer.merge(Logger.replace(Logger.defaultLogger, logger), Logger.minimumLogLevel(LogLevel.Debug)),
    warnings: () => lines.filter(({ level }) => level === LogLevel.Warning).map(({ text }) => text),
    all: () => lines.map(({ text }) => text),
  }
}
