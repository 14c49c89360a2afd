import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { usage } from "./CommandError.js"

/** A TCP port, 0 for a free one. */
export const port = Options.integer("port").pipe(
  Options.withPseudoName("PORT"),
  Options.filterMap(
    (value) => (value >= 0 && value <= 65_535 ? Option.some(value) : Option.none()),
    "--port must be between 0 and 65535; 0 takes a free one",
  ),
)

/** The local Messages and chat-completions API, alone. */
export const sandbox = Command.make(
  "sandbox",
  {
    port: port.pipe(Options.withDescription("Where to listen (0: a free port)"), Options.withDefault(0)),
    faults: Options.text("faults").pipe(
      Options.withPseudoName("PLAN"),
      Options.withDescription("How to misbehave, request by request, such as 429:2*3,latency:500,hang*"),
      Options.withDefault(""),
    ),
  },
  (options) =>
    Effect.scoped(
      Effect.gen(function* () {
        const Sandbox = yield* Effect.promise(() => import("../sandbox/Sandbox.js"))
        const { url } = yield* Effect.mapError(Sandbox.serve(options), (error) => usage(error.message, error))
        yield* Console.log(
          [
            `The sandbox speaks the Messages API at ${url}, and chat completions at ${url}/v1`,
            `  ANTHROPIC_BASE_URL=${url} ANTHROPIC_API_KEY=any runledger launch <folder>`,
            `  OPENAI_BASE_URL=${url}/v1 runledger launch <folder> --provider openai --model gpt-4o-mini`,
            "Ctrl-C ends it.",
          ].join("\n"),
        )
        return yield* Effect.never
      }),
    ),
)
