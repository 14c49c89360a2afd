import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"

const NAMES = ["event", "run", "config"] as const

/** JSON Schemas of what others read and write. */
export const schema = Command.make(
  "schema",
  {
    name: Args.choice(
      NAMES.map((name): [string, (typeof NAMES)[number]] => [name, name]),
      { name: "event|run|config" },
    ).pipe(Args.withDescription("A line of events.ndjson, a run as it is posted, or a run config file")),
  },
  ({ name }) =>
    Effect.gen(function* () {
      const published = yield* Effect.promise(() => import("./PublishedSchema.js"))
      yield* Console.log(JSON.stringify(published.of(name), null, 2))
    }),
)
