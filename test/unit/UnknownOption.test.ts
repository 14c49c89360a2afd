import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as UnknownOption from "../../src/cli/UnknownOption.js"

const root = Command.make("runledger").pipe(
  Command.withSubcommands([
    Command.make("launch", {
      input: Args.text({ name: "folder" }),
      model: Options.text("model").pipe(Options.optional),
      json: Options.boolean("json"),
    }),
    Command.make("show", {}),
  ]),
)

const said = (...words: ReadonlyArray<string>) =>
  UnknownOption.refuse(root, words).pipe(
    Effect.match({ onFailure: (error) => error.message, onSuccess: () => "accepted" }),
  )

describe("UnknownOption", () => {
  it.effect("names the nearest command and option", () =>
    Effect.gen(function* () {
      expect(yield* said("lanch", ".")).toContain('There is no command lanch. Did you mean "runledger launch"?')
      expect(yield* said("launch", "--mdel", "x", ".")).toContain("has no option --mdel. Did you mean --model?")
      expect(yield* said("show", "--model", "x")).toContain('"runledger show" has no option --model')
    }),
  )

  it.effect("an option without its value is not taken for the argument", () =>
    Effect.gen(function* () {
      expect(yield* said("launch", "--json", "--model")).toContain("--model wants a value")
      expect(yield* said("launch", "--model", "--json", ".")).toContain("--model wants a value")
    }),
  )

  it.effect("what is right passes: values, =, built-in options, negative numbers, what follows --", () =>
    Effect.gen(function* () {
      for (const words of [
        ["launch", ".", "--model", "m", "--json"],
        ["launch", "--model=m", "."],
        ["launch", "--log-level", "debug", "."],
        ["--log-level", "debug", "launch", "."],
        ["launch", "--help"],
        ["launch", "--model", "-1", "."],
        ["launch", "--", "--odd-folder"],
        ["--version"],
        [],
      ]) {
        expect(yield* said(...words)).toBe("accepted")
      }
    }),
  )
})
