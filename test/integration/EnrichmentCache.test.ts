import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as BudgetUnlimited from "../../layers/BudgetUnlimited.js"
import * as CurrentRunFolder from "../../layers/CurrentRunFolder.js"
import * as IdGeneratorLive from "../../layers/IdGeneratorLive.js"
import * as Claim from "../../src/domain/Claim.js"
import { replayed } from "../../src/domain/Cost.js"
import * as Enrichment from "../../src/domain/Enrichment.js"
import type { AnswerSource, LlmRequest } from "../../src/domain/Llm.js"
import * as PromptData from "../../src/domain/PromptData.js"
import { LlmSettings } from "../../src/domain/RunConfig.js"
import * as Usage from "../../src/domain/Usage.js"
import * as CallLedger from "../../src/pipeline/CallLedger.js"
import * as EnrichClaims from "../../src/pipeline/EnrichClaims.js"
import type { RecordedCall } from "../../src/telemetry/LlmSpan.js"
import { Recorder } from "../../src/telemetry/Recorder.js"
import { platform, temporaryFolder } from "../support/Launches.js"

const claims = Claim.merge(
  Array.from({ length: 25 }, (_, n) =>
    Claim.make(`Widget has the feature number ${n}.`, {
      path: "README.md",
      start_line: n + 1,
      end_line: n + 1,
      source_type: "technical_readme",
    }),
  ),
)

const answerTo = (request: LlmRequest, source: AnswerSource): RecordedCall => {
  const [{ content }] = request.messages
  const data = Option.getOrThrow(PromptData.extract(typeof content === "string" ? content : ""))
  const items = data.kind === "enrich_claims" ? Enrichment.heuristics(data.data.claims) : { claims: [] }
  return {
    content: [{ type: "text", text: JSON.stringify(items) }],
    usage: Usage.none,
    finishReason: "stop",
    stopReason: "end_turn",
    model: request.model,
    requestId: null,
    attempts: [],
    source,
    callId: "c",
    traceId: "",
    spanId: "",
    promptHash: "",
    latencyMs: 0,
    evidencePath: null,
    cost: replayed,
  }
}

/** Enriches in a run of its own; how many calls that took. */
const enrichIn = (runsDir: string, runId: string, source: AnswerSource) =>
  Effect.gen(function* () {
    const calls = yield* Ref.make(0)
    const span = {
      generate: (request: LlmRequest) =>
        Effect.as(
          Ref.update(calls, (n) => n + 1),
          answerTo(request, source),
        ),
      stream: () => Stream.dieMessage("Enrichment does not stream"),
    }
    const settings = Schema.decodeSync(LlmSettings)({})
    const asking = {
      span,
      settings,
      ledger: yield* CallLedger.make,
      worker: "W2.FactsBuilder",
      deadline: Option.none(),
    }
    const { cachedBatches } = yield* EnrichClaims.enrich(claims, Option.some(asking))
    return { calls: yield* Ref.get(calls), cachedBatches }
  }).pipe(
    Effect.provide(
      Recorder.layer.pipe(
        Layer.provideMerge(CurrentRunFolder.layer({ runsDir, runId, resume: false, config: {} })),
        Layer.provideMerge(Layer.merge(BudgetUnlimited.layer, IdGeneratorLive.layer)),
      ),
    ),
  )

describe("Enrichment cache", () => {
  it.scopedLive("answers that were bought are not bought again by a later run of the same folder", () =>
    Effect.gen(function* () {
      const runsDir = yield* temporaryFolder
      expect(yield* enrichIn(runsDir, "run-001", "provider")).toEqual({ calls: 2, cachedBatches: 0 })
      expect(yield* enrichIn(runsDir, "run-002", "provider")).toEqual({ calls: 0, cachedBatches: 2 })
    }).pipe(Effect.provide(platform)),
  )

  it.scopedLive("answers of the sandbox or of evidence are never kept: they must not pass for bought ones", () =>
    Effect.gen(function* () {
      const runsDir = yield* temporaryFolder
      for (const [runId, source] of [
        ["run-001", "sandbox"],
        ["run-002", "replay"],
        ["run-003", "sandbox"],
      ] as const) {
        expect(yield* enrichIn(runsDir, runId, source)).toEqual({ calls: 2, cachedBatches: 0 })
      }
    }).pipe(Effect.provide(platform)),
  )
})
