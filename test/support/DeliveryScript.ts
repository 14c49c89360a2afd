import * as FastCheck from "effect/FastCheck"
import type * as UnsteadyServer from "./UnsteadyServer.js"

/** What happens next in the life of a run. */
export type Step =
  | { readonly do: "append"; readonly choices: ReadonlyArray<number>; readonly size: number }
  | { readonly do: "fault"; readonly fault: UnsteadyServer.Fault }
  | { readonly do: "ship"; readonly turns: number; readonly millis: number }
  | { readonly do: "flush" }
  | { readonly do: "crash"; readonly torn: Uint8Array; readonly cut: number; readonly oldCursor: boolean }
  | { readonly do: "leave" }

const size = FastCheck.oneof(
  { weight: 20, arbitrary: FastCheck.nat({ max: 300 }) },
  { weight: 1, arbitrary: FastCheck.constant(150_000) },
)

const fault: FastCheck.Arbitrary<UnsteadyServer.Fault> = FastCheck.oneof(
  FastCheck.record({
    kind: FastCheck.constant("answer" as const),
    status: FastCheck.constantFrom(500, 502, 503, 504),
    applied: FastCheck.boolean(),
  }),
  FastCheck.record({
    kind: FastCheck.constant("answer" as const),
    status: FastCheck.constantFrom(401, 403, 404, 408, 425, 429, 503),
    retryAfter: FastCheck.nat({ max: 20 }),
    applied: FastCheck.constant(false),
  }),
  FastCheck.record({
    kind: FastCheck.constantFrom("reset" as const, "silence" as const, "gibberish" as const),
    applied: FastCheck.boolean(),
  }),
  FastCheck.constant({ kind: "too large" as const }),
  FastCheck.constant({ kind: "twice" as const }),
)

const torn = FastCheck.oneof(
  FastCheck.constant(new Uint8Array()),
  FastCheck.uint8Array({ minLength: 1, maxLength: 80 }),
  FastCheck.constant(new Uint8Array(700)),
  FastCheck.string({ maxLength: 40 }).map((text) => Buffer.from(`{"event_hash":"${text}`)),
  FastCheck.constant(Buffer.from('{"a whole line":"that is no event"}\n')),
)

const step: FastCheck.Arbitrary<Step> = FastCheck.oneof(
  {
    weight: 6,
    arbitrary: FastCheck.record({
      do: FastCheck.constant("append" as const),
      choices: FastCheck.array(FastCheck.nat({ max: 999 }), { minLength: 1, maxLength: 8 }),
      size,
    }),
  },
  { weight: 4, arbitrary: FastCheck.record({ do: FastCheck.constant("fault" as const), fault }) },
  {
    weight: 4,
    arbitrary: FastCheck.record({
      do: FastCheck.constant("ship" as const),
      turns: FastCheck.nat({ max: 6 }),
      millis: FastCheck.constantFrom(0, 200, 1000, 6000, 31_000),
    }),
  },
  { weight: 1, arbitrary: FastCheck.constant({ do: "flush" as const }) },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      do: FastCheck.constant("crash" as const),
      torn,
      cut: FastCheck.nat({ max: 3000 }),
      oldCursor: FastCheck.boolean(),
    }),
  },
  { weight: 1, arbitrary: FastCheck.constant({ do: "leave" as const }) },
)

/** One life of a run. */
export interface Script {
  readonly steps: ReadonlyArray<Step>
  /** Every so many-th event is refused for good, its row too, by itself or with its whole request. */
  readonly poison: { readonly every: number; readonly how: UnsteadyServer.Refusal } | null
}

/** Any life: appends, crashes with what they leave behind, deliveries, and what goes wrong with them. */
export const script: FastCheck.Arbitrary<Script> = FastCheck.record({
  steps: FastCheck.array(step, { minLength: 2, maxLength: 14 }),
  poison: FastCheck.option(
    FastCheck.record({
      every: FastCheck.integer({ min: 3, max: 9 }),
      how: FastCheck.constantFrom("operation" as const, "request" as const),
    }),
    { freq: 3 },
  ),
})
