import * as Command from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type * as Usage from "@effect/cli/Usage"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import { nearest } from "../domain/Nearest.js"
import { type CommandError, usage } from "./CommandError.js"

/** Whether an option wants a value, by its name (`--model`, `-h`). */
type Options = ReadonlyMap<string, boolean>

const BUILT_IN: Options = new Map([
  ["--help", false],
  ["-h", false],
  ["--version", false],
  ["--wizard", false],
  ["--log-level", true],
  ["--completions", true],
])

const isOption = (word: string): boolean => /^--?[A-Za-z]/.test(word)

const optionsOf = (usages: Usage.Usage): ReadonlyArray<readonly [string, boolean]> => {
  switch (usages._tag) {
    case "Named":
      return usages.names.filter(isOption).map((name) => [name, Option.isSome(usages.acceptedValues)] as const)
    case "Optional":
    case "Repeated":
      return optionsOf(usages.usage)
    case "Alternation":
    case "Concat":
      return [...optionsOf(usages.left), ...optionsOf(usages.right)]
    default:
      return []
  }
}

const problemWith = (command: string, known: Options, words: ReadonlyArray<string>): string | undefined => {
  for (const [index, word] of words.entries()) {
    if (word === "--") return undefined
    if (!isOption(word)) continue
    const [name = word, value] = word.split("=", 2)
    const wantsValue = known.get(name) ?? BUILT_IN.get(name)
    if (wantsValue === undefined) {
      const guess = nearest(name, [...known.keys(), ...BUILT_IN.keys()])
      const hint = guess === undefined ? "" : `Did you mean ${guess}? `
      return `"runledger ${command}" has no option ${name}. ${hint}"runledger ${command} --help" lists what it takes.`
    }
    const next = words[index + 1]
    if (wantsValue && value === undefined && (next === undefined || next.startsWith("--"))) {
      return `The option ${name} wants a value. "runledger ${command} --help" says which.`
    }
  }
  return undefined
}

/**
 * Refuses a command or option that does not exist and an option without its value, naming the nearest known one: the parser
 * itself would take such a word for an argument.
 */
export const refuse = <Name extends string, R, E, A>(
  root: Command.Command<Name, R, E, A>,
  words: ReadonlyArray<string>,
): Effect.Effect<void, CommandError> => {
  const commands = Command.getSubcommands(root)
  const at = words.findIndex((word, index) => !isOption(word) && words[index - 1] !== "--log-level")
  const name = words[at]
  if (name === undefined) return Effect.void
  const command = HashMap.get(commands, name)
  if (Option.isNone(command)) {
    const guess = nearest(name, HashMap.keys(commands))
    const hint = guess === undefined ? "" : `Did you mean "runledger ${guess}"? `
    return usage(`There is no command ${name}. ${hint}"runledger --help" lists the commands.`)
  }
  const known = new Map(optionsOf(CommandDescriptor.getUsage(command.value)))
  const problem = problemWith(name, known, words.slice(at + 1))
  return problem === undefined ? Effect.void : usage(problem)
}
