import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as Runledger from "../../layers/Runledger.js"
import { LlmClient, type LlmClientService, streamOf } from "../../services/LlmClient.js"
import type { LlmRequest, LlmResponse } from "../../src/domain/Llm.js"
import * as Usage from "../../src/domain/Usage.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import type { Period } from "../../src/telemetry/Period.js"
import { RotatingRun } from "../../src/telemetry/RotatingRun.js"

export const created = { agent_name: "answers", job_type: "server" }

const answer: LlmResponse = {
  content: [{ type: "text", text: "A ledger never forgets." }],
  usage: Usage.none,
  finishReason: "stop",
  stopReason: "end_turn",
  model: null,
  requestId: null,
  attempts: [],
  source: "provider",
}

/** A model that answers at once, apart from the question `slow`, which waits for the gate. */
export const client = (gate?: Deferred.Deferred<void>) =>
  Layer.sync(LlmClient, () => {
    const generate: LlmClientService["generate"] = ({ messages: [{ content }] }) =>
      Effect.as(content === "slow" && gate !== undefined ? Deferred.await(gate) : Effect.void, answer)
    return { provider: "anthropic", baseUrl: null, generate, stream: streamOf(generate) }
  })

const asking = (content: string): LlmRequest => ({
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content }],
  temperature: 0,
  maxTokens: 200,
})

export const ask = (callId: string, content = "quick") =>
  Effect.flatMap(LlmSpan, (llm) => llm.generate(asking(content), { callId }))

/** The chunks of the same answer. */
export const read = (callId: string, content = "quick") =>
  Effect.flatMap(LlmSpan, (llm) => Stream.runCollect(llm.stream(asking(content), { callId }))).pipe(
    Effect.map(Chunk.toReadonlyArray),
  )

export const offline =
  (runsDir: string) =>
  ({ name }: Period) =>
    Runledger.layer({ name: `answers-${name}`, runsDir, offline: true })

export const temporary = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer),
)

/** The runs of a folder that have begun, in the order of their names: which calls ended in each, how it ended, and whether its chain holds. */
export const runsIn = (runsDir: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folders = (yield* fs.readDirectory(runsDir)).toSorted()
    const names = yield* Effect.filter(folders, (name) =>
      name.startsWith(".") ? Effect.succeed(false) : fs.exists(`${runsDir}/${name}/events.ndjson`),
    )
    return yield* Effect.forEach(names, (name) =>
      Effect.gen(function* () {
        const file = `${runsDir}/${name}/events.ndjson`
        const events = Chunk.toReadonlyArray(yield* Stream.runCollect(EventLogNdjson.readAll(file)))
        const { problems } = yield* EventLogNdjson.verifyFile(file)
        const calls = events.flatMap((event) => (event.type === "LLM_CALL_FINISHED" ? [event.payload.call_id] : []))
        const isLocked = yield* fs.exists(`${runsDir}/${name}/lock`)
        return { name, calls, events, problems, first: events.at(0)?.type, last: events.at(-1)?.type, isLocked }
      }),
    )
  }).pipe(Effect.provide(NodeFileSystem.layer))

const live = Clock.make()

/** The real clock as far as waiting goes, with the time of day that a test chooses. */
export const atTime = (millis: () => number): Clock.Clock => ({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: millis,
  currentTimeMillis: Effect.sync(millis),
  unsafeCurrentTimeNanos: () => live.unsafeCurrentTimeNanos(),
  currentTimeNanos: live.currentTimeNanos,
  sleep: (duration) => live.sleep(duration),
})

/** Asks again, on the real clock and for twenty seconds at most, until the answer is as it should be; gives the last one. */
export const eventually = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  isRight: (value: A) => boolean,
  triesLeft = 1000,
): Effect.Effect<A, E, R> =>
  Effect.flatMap(effect, (value) =>
    isRight(value) || triesLeft === 0
      ? Effect.succeed(value)
      : Effect.zipRight(Effect.withClock(Effect.sleep("20 millis"), live), eventually(effect, isRight, triesLeft - 1)),
  )

export const noon = TestClock.setTime(Date.parse("2026-01-31T12:00:00Z"))

/** A program that records a run a day, offline, and the gate for which slow calls wait. */
export const server = Effect.gen(function* () {
  yield* noon
  const runsDir = yield* temporary
  const gate = yield* Deferred.make<void>()
  const layer = Layer.provide(RotatingRun.layer({ created, run: offline(runsDir) }), client(gate))
  return { runsDir, gate, layer }
})
