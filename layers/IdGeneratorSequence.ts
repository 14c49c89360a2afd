import * as Layer from "effect/Layer"
import { IdGenerator, type IdGeneratorService } from "../services/IdGenerator.js"

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

const make = (): IdGeneratorService => {
  let events = 0
  let spans = 0
  let traces = 0
  let latest = 0
  return {
    unsafeEventId: (epochMillis) => {
      latest = Math.max(latest, Number.isFinite(epochMillis) ? Math.min(2 ** 48 - 1, Math.floor(epochMillis)) : 0)
      const time = hex(latest, 12)
      return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${hex(++events, 12)}`
    },
    unsafeSpanId: () => hex(++spans, 16),
    unsafeTraceId: () => hex(++traces, 32),
  }
}

/** Ids that count 1, 2, 3 … from when the layer is built: the same program gets the same ids. For tests and replay. */
export const layer: Layer.Layer<IdGenerator> = Layer.sync(IdGenerator, make)
