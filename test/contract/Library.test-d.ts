import type { UnknownException } from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"
import { expectTypeOf, test } from "vitest"
import * as Runledger from "../../layers/Runledger.js"
import {
  type BacklogService,
  CallSpan,
  type Llm,
  type LlmChunk,
  type LlmClient,
  LlmSpan,
  type RecordedCall,
  type RecordedRun,
  type Recorder,
  type RecorderService,
  RotatingRun,
  type RotatingRunService,
} from "../../src/index.js"

type Used<Member> = Member extends (...args: never) => infer Result ? Result : Member

type Fallible<Service> = {
  [Name in keyof Service]: Used<Service[Name]> extends Effect.Effect<unknown, never, never> ? never : Name
}[keyof Service]

type FailureOf<L> = L extends Layer.Layer<infer _A, infer E, infer _R> ? E : "not a layer"

const created = { agent_name: "answers", job_type: "server" }
const rotating = RotatingRun.layer({ created, run: ({ name }) => Runledger.layer({ name }) })

test("recording or draining can fail the program", () => {
  expectTypeOf<Fallible<Pick<RecorderService, "record">>>().toBeNever()
  expectTypeOf<Fallible<BacklogService>>().toBeNever()
})

test("a layer that records can fail to be built", () => {
  expectTypeOf<FailureOf<ReturnType<typeof Runledger.layer>>>().toBeNever()
  expectTypeOf<FailureOf<ReturnType<typeof RecordedRun.layer>>>().toBeNever()
  expectTypeOf(rotating).toEqualTypeOf<
    Layer.Layer<RotatingRun | LlmSpan | CallSpan.CallSpan | Recorder, never, LlmClient>
  >()
})

test("a rotating run adds an error to what runs in it, or asks for more than a model", () => {
  const asked = Effect.flatMap(LlmSpan, (llm) => Effect.succeed(llm))
  const within =
    <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    (run: RotatingRunService) =>
      run.within(effect)
  expectTypeOf(within(Effect.succeed(1))).returns.toEqualTypeOf<Effect.Effect<number>>()
  expectTypeOf(within(Effect.fail("own" as const))).returns.toEqualTypeOf<Effect.Effect<never, "own">>()
  expectTypeOf(within(asked)).returns.toExtend<Effect.Effect<unknown, never, never>>()
  expectTypeOf<keyof RotatingRunService>().toEqualTypeOf<"within">()
})

test("a call fails otherwise than as its model did", () => {
  type Call = ReturnType<LlmSpan["Type"]["generate"]>
  expectTypeOf<Effect.Effect.Error<Call>>().toEqualTypeOf<Llm.LlmError>()
})

test("a stream fails otherwise than as its model did, or needs more than is there", () => {
  type Streamed = ReturnType<LlmSpan["Type"]["stream"]>
  expectTypeOf<Stream.Stream.Error<Streamed>>().toEqualTypeOf<Llm.LlmError>()
  expectTypeOf<Stream.Stream.Context<Streamed>>().toBeNever()
  expectTypeOf<Stream.Stream.Success<Streamed>>().toEqualTypeOf<LlmChunk.LlmChunk<RecordedCall>>()
})

test("recording a call of another SDK adds an error to it, or asks for more than who records", () => {
  const options = { provider: "openai", model: "gpt-4o" }
  const own = CallSpan.record(Effect.fail("own" as const), options)
  expectTypeOf(own).toEqualTypeOf<Effect.Effect<never, "own", CallSpan.CallSpan>>()
  const needing = CallSpan.record(
    Effect.flatMap(LlmSpan, () => Effect.succeed(1)),
    options,
  )
  expectTypeOf(needing).toEqualTypeOf<Effect.Effect<number, never, LlmSpan | CallSpan.CallSpan>>()
  const promised = CallSpan.record(async (signal) => signal.aborted, { ...options, output: (was) => was === true })
  expectTypeOf(promised).toEqualTypeOf<Effect.Effect<boolean, UnknownException, CallSpan.CallSpan>>()
  expectTypeOf<FailureOf<ReturnType<typeof RecordedRun.calls>>>().toBeNever()
})

test("a member that fails would be found", () => {
  type Failing = { readonly record: () => Effect.Effect<void, "broken"> }
  expectTypeOf<Fallible<Failing>>().toEqualTypeOf<"record">()
  // @ts-expect-error the assertion of the first test breaks for a service of which one method fails
  expectTypeOf<Fallible<Failing>>().toBeNever()
})
