import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import * as EventSamples from "./EventSamples.js"

const [runsDir = "", runId = ""] = process.argv.slice(2)

/** Appends for ever, and says on stdout, whole and at once, which append has returned. */
const program = Effect.gen(function* () {
  const log = yield* EventLog
  yield* Effect.forEach(Chunk.range(0, 1_000_000), (n) =>
    Effect.tap(log.append(EventSamples.event(n)), () =>
      Effect.zipRight(
        Effect.async<void>((resume) => void process.stdout.write(`${n}\n`, () => resume(Effect.void))),
        Effect.yieldNow(),
      ),
    ),
  )
})

const run = CurrentRunFolder.layer({ runsDir, runId, resume: true, config: {} })

void Effect.runPromise(
  Effect.provide(program, Layer.provideMerge(EventLogNdjson.layer({ durability: "process" }), run)),
)
