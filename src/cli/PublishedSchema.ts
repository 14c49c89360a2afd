import * as JSONSchema from "effect/JSONSchema"
import { ChainedEvent } from "../domain/Event.js"
import { RunCreate } from "../domain/Run.js"
import { RunConfig } from "../domain/RunConfig.js"

/** The JSON Schema (draft 7) of an event log's line, of a run as clients post it, or of a run config file. */
export const of = (name: "event" | "run" | "config"): JSONSchema.JsonSchema7Root => {
  switch (name) {
    case "event":
      return JSONSchema.make(ChainedEvent)
    case "run":
      return JSONSchema.make(RunCreate)
    case "config":
      return JSONSchema.make(RunConfig)
  }
}
