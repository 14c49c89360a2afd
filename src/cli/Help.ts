import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type * as HelpDoc from "@effect/cli/HelpDoc"
import type * as Span from "@effect/cli/HelpDoc/Span"
import * as Usage from "@effect/cli/Usage"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { Style } from "./Ansi.js"

const WIDTH = 100
/** Where descriptions begin. */
const MARGIN = 28

/** What the parser says of every word that is no more than a text or a switch: how it is written shows that. */
const FILLERS = [
  /^A user-defined piece of text(?: that is confidential)?\.$/,
  /^A true or false value\.$/,
  /^One of the following: .*$/,
  /^An integer\.$/,
  /^This setting is optional\.$/,
]
const DEFAULT = /^This setting is optional\. Defaults to: (.*)$/

/** The choices of an argument, behind its name, which is those choices. */
const CHOICES_AGAIN = /(<[^>]+>) [\w-]+(?: \| [\w-]+)+/g

const textOf = (span: Span.Span): string => {
  switch (span._tag) {
    case "Sequence":
      return textOf(span.left) + textOf(span.right)
    case "Text":
    case "URI":
      return span.value
    default:
      return textOf(span.value)
  }
}

interface Definition {
  readonly name: string
  readonly told: ReadonlyArray<string>
}

interface Parts {
  readonly paragraphs: ReadonlyArray<string>
  readonly definitions: ReadonlyArray<Definition>
}

/** What stands in a document, without its headings. */
const partsOf = (doc: HelpDoc.HelpDoc): Parts => {
  switch (doc._tag) {
    case "Paragraph":
      return { paragraphs: [textOf(doc.value)], definitions: [] }
    case "DescriptionList":
      return {
        paragraphs: [],
        definitions: doc.definitions.map(([name, told]) => ({ name: textOf(name), told: partsOf(told).paragraphs })),
      }
    case "Sequence": {
      const [left, right] = [partsOf(doc.left), partsOf(doc.right)]
      return {
        paragraphs: [...left.paragraphs, ...right.paragraphs],
        definitions: [...left.definitions, ...right.definitions],
      }
    }
    default:
      return { paragraphs: [], definitions: [] }
  }
}

const told = (paragraphs: ReadonlyArray<string>): string =>
  paragraphs
    .filter((text) => !FILLERS.some((filler) => filler.test(text)))
    .map((text) => text.replace(DEFAULT, "(default: $1)"))
    .join(" ")

/** Text in lines of at most so many characters, broken between words. */
const broken = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (const word of text.split(" ")) {
    const line = `${lines.at(-1) ?? ""} ${word}`
    if (lines.length > 0 && line.length <= width) lines[lines.length - 1] = line
    else lines.push(word)
  }
  return lines
}

const defined = (style: Style, { name, told: paragraphs }: Definition): ReadonlyArray<string> => {
  const [first = "", ...rest] = broken(told(paragraphs), WIDTH - MARGIN)
  const behind = rest.map((line) => `${" ".repeat(MARGIN)}${line}`)
  return name.length + 4 <= MARGIN
    ? [`  ${style.bold(name)}${" ".repeat(MARGIN - 2 - name.length)}${first}`, ...behind]
    : [`  ${style.bold(name)}`, `${" ".repeat(MARGIN)}${first}`, ...behind]
}

/**
 * What a command takes, so that it fits on a screen; none when there is no such command. The parser's own help has four lines and
 * as many empty ones for each option.
 */
export const of = <Name extends string, R, E, A>(
  style: Style,
  root: Command.Command<Name, R, E, A>,
  name: string,
): Option.Option<string> =>
  Option.map(HashMap.get(Command.getSubcommands(root), name), (command) => {
    const config = { ...CliConfig.defaultConfig, showBuiltIns: false }
    const { definitions, paragraphs } = partsOf(CommandDescriptor.getHelp(command, config))
    const usages = partsOf(Usage.getHelp(CommandDescriptor.getUsage(command))).paragraphs
    return [
      ...usages.flatMap((usage) =>
        broken(`runledger ${usage.replace(CHOICES_AGAIN, "$1")}`, WIDTH - 2).map((line, index) =>
          index === 0 ? line : `  ${line}`,
        ),
      ),
      "",
      ...paragraphs.flatMap((text) => broken(text, WIDTH)),
      "",
      ...definitions.flatMap((one) => defined(style, one)),
    ].join("\n")
  })
