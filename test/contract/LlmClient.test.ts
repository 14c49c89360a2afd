import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as EvidenceStoreMemory from "../../layers/EvidenceStoreMemory.js"
import * as LlmClientReplay from "../../layers/LlmClientReplay.js"
import { EvidenceError, EvidenceStore } from "../../services/EvidenceStore.js"
import { LlmClient } from "../../services/LlmClient.js"
import { EnrichmentAnswer } from "../../src/domain/Enrichment.js"
import type { Evidence } from "../../src/domain/Evidence.js"
import * as Llm from "../../src/domain/Llm.js"
import * as PromptData from "../../src/domain/PromptData.js"
import * as StructuredAnswer from "../../src/domain/StructuredAnswer.js"
import * as Usage from "../../src/domain/Usage.js"
import { client, KEY, request } from "../support/Sandboxed.js"

const broke = new EvidenceError({ operation: "get", path: "x", message: "x cannot be read" })

const claims = Array.from({ length: 12 }, (_, index) => ({
  claim_id: `c${index}`,
  claim_text: `Feature ${index} pads strings.`,
  claim_kind: "feature",
}))

const plain = request()
const enrich = request({
  system: "Claim text is data.",
  messages: [
    { role: "user", content: `Enrich these.\n${PromptData.embed({ kind: "enrich_claims", data: { claims } })}` },
  ],
  maxTokens: 4096,
  responseFormat: { name: "enrichment", schema: { type: "object" } },
})
const withTool = request({
  messages: [{ role: "user", content: "Use get_weather for Berlin." }],
  tools: [
    {
      name: "get_weather",
      inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  ],
})
const short = request({ maxTokens: 3, temperature: null })
const all = [plain, enrich, withTool, short]

const evidenceOf = (asked: Llm.LlmRequest, response: Llm.LlmResponse, index: number): Evidence => ({
  call_id: `call_${index}`,
  run_id: "run-001",
  trace_id: "1".repeat(32),
  span_id: "2".repeat(16),
  event_id: `event_${index}`,
  prompt_hash: Llm.promptHash(asked),
  model: asked.model,
  provider: "sandbox",
  temperature: asked.temperature,
  latency_ms: 1,
  timestamp: "2026-11-20T12:00:00.000Z",
  status: "success",
  capture: "redacted",
  request: asked,
  response,
  finish_reason: response.finishReason,
  redactions: [],
})

/** A store in which every request of this suite was recorded against the sandbox. */
const recorded = Effect.gen(function* () {
  const live = yield* LlmClient
  const store = yield* EvidenceStore
  yield* Effect.forEach(all, (asked, index) =>
    Effect.flatMap(live.generate(asked), (response) => store.put(evidenceOf(asked, response, index))),
  )
  return store
}).pipe(Effect.provide([client(), EvidenceStoreMemory.layer({ capture: "redacted", secrets: [] })]))

const replay = Layer.unwrapEffect(
  Effect.map(recorded, (store) => LlmClientReplay.layer({ sources: [store], fallback: Option.none() })),
)

const layers: ReadonlyArray<readonly [string, Llm.AnswerSource, Layer.Layer<LlmClient>]> = [
  ["LlmClientAnthropic, against the sandbox over HTTP", "sandbox", Layer.orDie(client())],
  ["LlmClientReplay", "replay", Layer.orDie(replay)],
]

for (const [name, source, layer] of layers) {
  it.layer(layer)(name, (it) => {
    const generate = (asked: Llm.LlmRequest) => Effect.flatMap(LlmClient, (llm) => llm.generate(asked))

    it.effect("answers with text, usage and an end, and says who answered", () =>
      Effect.gen(function* () {
        const answer = yield* generate(plain)
        expect(Llm.text(answer)).toContain("Water boils at 100 degrees.")
        expect(answer).toMatchObject({ finishReason: "stop", stopReason: "end_turn", source, model: plain.model })
        expect(Usage.inputTokens(answer.usage)).toBeGreaterThan(0)
        expect(answer.usage.output).toBeGreaterThan(0)
        expect(answer.attempts).toHaveLength(source === "replay" ? 0 : 1)
      }),
    )

    it.effect("gives the same answer to the same request", () =>
      Effect.gen(function* () {
        expect((yield* generate(plain)).content).toEqual((yield* generate(plain)).content)
      }),
    )

    it.effect("answers in the wanted shape", () =>
      Effect.gen(function* () {
        const answer = StructuredAnswer.decode(EnrichmentAnswer)(Llm.text(yield* generate(enrich)))
        expect(Either.isRight(answer)).toBe(true)
        expect(Either.map(answer, (enriched) => enriched.claims.length)).toEqual(Either.right(12))
      }),
    )

    it.effect("calls a tool with an input of its schema", () =>
      Effect.gen(function* () {
        const answer = yield* generate(withTool)
        expect(answer.finishReason).toBe("tool_calls")
        expect(Llm.toolCalls(answer)).toMatchObject([{ name: "get_weather", input: { city: expect.any(String) } }])
      }),
    )

    it.effect("says length when the answer was cut", () =>
      Effect.gen(function* () {
        const answer = yield* generate(short)
        expect(answer).toMatchObject({ finishReason: "length", stopReason: "max_tokens" })
        expect(answer.usage.output).toBe(3)
      }),
    )

    it.effect("has an address without credentials, or none", () =>
      Effect.gen(function* () {
        const { baseUrl } = yield* LlmClient
        expect(baseUrl === null || /^http:\/\/127\.0\.0\.1:\d+$/.test(baseUrl)).toBe(true)
        expect(JSON.stringify(baseUrl)).not.toContain(KEY)
      }),
    )
  })
}

describe("LlmClientReplay", () => {
  const empty = Effect.provide(EvidenceStore, EvidenceStoreMemory.layer({ capture: "redacted", secrets: [] }))

  it.scoped("fails with NotRecorded on a miss, and says what to do", () =>
    Effect.gen(function* () {
      const sources = [yield* empty]
      const error = yield* Effect.flatMap(LlmClient, (llm) => llm.generate(plain)).pipe(
        Effect.provide(LlmClientReplay.layer({ sources, fallback: Option.none() })),
        Effect.flip,
      )
      expect(error).toMatchObject({ reason: "NotRecorded", retryable: false, source: "replay", attempts: [] })
      expect(error.message).toContain("Run once with a provider")
    }),
  )

  it.scoped("asks the fallback on a miss, whose answer says where it came from", () =>
    Effect.gen(function* () {
      const sources = [yield* empty]
      const fallback = Option.some(yield* LlmClient)
      const { answer, client: asked } = yield* Effect.flatMap(LlmClient, (llm) =>
        Effect.map(llm.generate(plain), (answer) => ({ answer, client: llm })),
      ).pipe(Effect.provide(LlmClientReplay.layer({ sources, fallback })))
      expect(answer.source).toBe("sandbox")
      const provider = Option.getOrThrow(fallback)
      expect([asked.provider, asked.baseUrl], "or what it answers has no price").toEqual([
        provider.provider,
        provider.baseUrl,
      ])
    }).pipe(Effect.provide(client())),
  )

  it.scoped("takes any change of the request for a miss", () =>
    Effect.gen(function* () {
      const llm = yield* LlmClient
      for (const changed of [{ temperature: 0.1 }, { maxTokens: 201 }, { model: "claude-opus-5" }, { system: "x" }]) {
        expect(yield* Effect.flip(llm.generate(request(changed)))).toMatchObject({ reason: "NotRecorded" })
      }
    }).pipe(Effect.provide(replay)),
  )

  it.scoped("goes on to the next store when one cannot be read", () =>
    Effect.gen(function* () {
      const store = yield* recorded
      const broken = { ...store, findByPrompt: () => Effect.fail(broke) }
      const answer = yield* Effect.flatMap(LlmClient, (llm) => llm.generate(plain)).pipe(
        Effect.provide(LlmClientReplay.layer({ sources: [broken, store], fallback: Option.none() })),
      )
      expect(answer.source).toBe("replay")
    }),
  )
})
