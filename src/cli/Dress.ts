import * as Terminal from "@effect/platform/Terminal"
import * as Effect from "effect/Effect"
import * as Ansi from "./Ansi.js"

/** How this process's standard output is dressed: colours on a terminal, unless `NO_COLOR` is set. */
export const style: Effect.Effect<Ansi.Style, never, Terminal.Terminal> = Effect.gen(function* () {
  const terminal = yield* Terminal.Terminal
  return (yield* Ansi.wanted(yield* terminal.isTTY)) ? Ansi.coloured : Ansi.plain
})
