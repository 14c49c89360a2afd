import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import { EventLog } from "../../services/EventLog.js"
import * as EventSamples from "./EventSamples.js"

const [runsDir = "", runId = ""] = process.argv.slice(2)

const run = CurrentRunFolder.layer({ runsDir, runId, resume: false, config: {} })

/** Begins a run whose log must survive a power cut, and appends one event. */
void Effect.runPromise(
  Effect.flatMap(EventLog, (log) => log.append(EventSamples.event(0))).pipe(
    Effect.provide(Layer.provideMerge(EventLogNdjson.layer({ durability: "power" }), run)),
  ),
)
