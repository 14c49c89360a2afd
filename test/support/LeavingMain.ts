import { writeSync } from "node:fs"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { EventLog } from "../../services/EventLog.js"
import { LlmSpan, RecordedRun } from "../../src/index.js"
import * as WorkerSpan from "../../src/telemetry/WorkerSpan.js"

const [way = "", runsDir = ""] = process.argv.slice(2)

/** The descriptor on which the test listens: standard output is the log's. */
const WITNESS = 3

const tell = (line: string): void => void writeSync(WITNESS, `${line}\n`)

/** How a program leaves by itself, from outside of every fiber. Signals come from the test. */
const WAYS: Readonly<Record<string, () => void>> = {
  "process.exit": () => process.exit(7),
  "uncaught exception": () => {
    throw new Error("out of the blue")
  },
  "unhandled rejection": () => void Promise.reject(new Error("out of the blue")),
}

const ENOUGH = 24
let appended = 0

const told = (eventId: string): void => {
  tell(eventId)
  if (++appended !== ENOUGH) return
  tell("ready")
  const leave = WAYS[way]
  if (leave !== undefined) setImmediate(leave)
}

/** The log, telling which append has returned. */
const Witnessed = Layer.effect(
  EventLog,
  Effect.map(Effect.serviceOption(EventLog), (found) => {
    const log = Option.getOrThrow(found)
    return EventLog.of({
      ...log,
      append: (event) => Effect.tap(log.append(event), ({ event_id }) => Effect.sync(() => told(event_id))),
    })
  }),
)

const call = Effect.flatMap(LlmSpan, (llm) =>
  llm.generate({
    model: "claude-sonnet-4-5",
    messages: [{ role: "user", content: "What is a ledger?" }],
    temperature: 0,
    maxTokens: 100,
  }),
)

/** Nothing that Node knows of will ever wake this fiber: the event loop may run dry. */
const suspended = Effect.async<never>(() => {})

const work = (
  way === "natural end" ? Effect.zipRight(Effect.repeatN(call, ENOUGH), suspended) : Effect.forever(call)
).pipe((calls) => Effect.all([calls, calls, calls], { concurrency: "unbounded", discard: true }))

const main = WorkerSpan.around({ worker: "W1.Asker", agentName: "asker" }, work).pipe(
  Effect.provide(RecordedRun.layer({ agent_name: "leaver", job_type: "leaving" })),
  Effect.provide(
    Layer.provideMerge(
      Layer.merge(Witnessed, LlmClientAnthropic.layerConfig()),
      Runledger.layer({ name: "leaving", runId: "left", runsDir }),
    ),
  ),
)

if (way === "natural end") {
  Effect.runFork(main)
} else {
  NodeRuntime.runMain(main, {
    teardown: (exit, onExit) => onExit(Exit.isInterrupted(exit) ? 130 : 1),
  })
}
