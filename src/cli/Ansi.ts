import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

/** How text is dressed up: in colours, or not at all. */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const same = (text: string): string => text
const code =
  (open: number, close: number) =>
  (text: string): string =>
    text === "" ? "" : `\u001b[${open}m${text}\u001b[${close}m`

export const plain: Style = { bold: same, dim: same, red: same, green: same, yellow: same, cyan: same }

export const coloured: Style = {
  bold: code(1, 22),
  dim: code(2, 22),
  red: code(31, 39),
  green: code(32, 39),
  yellow: code(33, 39),
  cyan: code(36, 39),
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
const ESCAPES = /\u001b\[[0-9;]*m/g

/** The text without its colours. */
export const strip = (text: string): string => text.replace(ESCAPES, "")

/** How many columns a text takes. */
export const width = (text: string): number => Array.from(strip(text)).length

/** Colours belong on a terminal whose user did not set `NO_COLOR`. */
export const wanted = (isTerminal: boolean): Effect.Effect<boolean> =>
  Config.string("NO_COLOR").pipe(
    Config.withDefault(""),
    Effect.map((value) => value === "" && isTerminal),
    Effect.orElseSucceed(() => isTerminal),
  )

const C1_AND_C0 = (point: number): boolean => (point < 0x20 && point !== 0x09) || (point >= 0x7f && point < 0xa0)

/** Text from elsewhere, safe to show on a terminal: control characters become `�`, line breaks spaces. */
export const inert = (text: string): string =>
  Array.from(text.replace(/\s*[\r\n]+\s*/g, " "), (character) =>
    C1_AND_C0(character.codePointAt(0) ?? 0) ? "\ufffd" : character,
  ).join("")

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to keep or to replace
const COLOURS_AND_CONTROLS = /\u001b\[[0-9;]*m|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g

/** A whole answer, safe to show on a terminal: its lines and colours stay, every other control character becomes `�`. */
export const guard = (text: string): string =>
  text.replace(COLOURS_AND_CONTROLS, (found) => (found.length > 1 ? found : "\ufffd"))

const written = (console: Console.Console, change: (text: string) => string): Console.Console => ({
  ...console,
  [Console.TypeId]: Console.TypeId,
  log: (...args) => console.log(...args.map((arg) => (typeof arg === "string" ? change(arg) : arg))),
  error: (...args) => console.error(...args.map((arg) => (typeof arg === "string" ? change(arg) : arg))),
})

/** A console for a terminal: what is written on it is made harmless, see {@link guard}. */
export const guarded = (console: Console.Console): Console.Console => written(console, guard)

/** A console that lets no colour through either, for output that is not a terminal's. */
export const uncoloured = (console: Console.Console): Console.Console => written(console, (text) => guard(strip(text)))
