import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as EvidenceStoreMemory from "../../layers/EvidenceStoreMemory.js"
import * as LlmClientFallback from "../../layers/LlmClientFallback.js"
import * as LlmClientReplay from "../../layers/LlmClientReplay.js"
import { EvidenceError, EvidenceStore } from "../../services/EvidenceStore.js"
import { LlmClient } from "../../services/LlmClient.js"
import { EnrichmentAnswer } from "../../src/domain/Enrichment.js"
import type { Evidence } from "../../src/domain/Evidence.js"
import * as Llm from "../../src/domain/Llm.js"
import * as PromptData from "../../src/domain/PromptData.js"
import * as StructuredAnswer from "../../src/domain/StructuredAnswer.js"
import * as Usage from "../../src/domain/Usage.js"
import { chatClient, client, KEY, request } from "../support/Sandboxed.js"

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

/** A client in front of one that is overloaded for good. */
const fallback = LlmClientFallback.layer({
  primary: client("529*", { maxRetries: 0 }),
  alternates: [{ client: client() }],
})

interface Kept {
  readonly name: string
  readonly source: Llm.AnswerSource
  readonly layer: Layer.Layer<LlmClient>
  /** The provider's words for an end and for a cut. */
  readonly words: readonly [end: string, cut: string]
  /** How many an answer takes; one when absent, none of a replay. */
  readonly attempts?: number
}

const MESSAGES_WORDS = ["end_turn", "max_tokens"] as const

const layers: ReadonlyArray<Kept> = [
  {
    name: "LlmClientAnthropic, against the sandbox over HTTP",
    source: "sandbox",
    layer: Layer.orDie(client()),
    words: MESSAGES_WORDS,
  },
  {
    name: "LlmClientOpenAiCompatible, against the sandbox over HTTP",
    source: "sandbox",
    layer: Layer.orDie(chatClient()),
    words: ["stop", "length"],
  },
  {
    name: "LlmClientFallback, behind a sandbox that is overloaded",
    source: "sandbox",
    layer: Layer.orDie(fallback),
    words: MESSAGES_WORDS,
    attempts: 2,
  },
  { name: "LlmClientReplay", source: "replay", layer: Layer.orDie(replay), words: MESSAGES_WORDS },
]

for (const { attempts = 1, layer, name, source, words } of layers) {
  it.layer(layer)(name, (it) => {
    const generate = (asked: Llm.LlmRequest) => Effect.flatMap(LlmClient, (llm) => llm.generate(asked))

    it.effect("answers with text, usage and an end, and says who answered", () =>
      Effect.gen(function* () {
        const answer = yield* generate(plain)
        expect(Llm.text(answer)).toContain("Water boils at 100 degrees.")
        expect(answer).toMatchObject({ finishReason: "stop", stopReason: words[0], source, model: plain.model })
        expect(Usage.inputTokens(answer.usage)).toBeGreaterThan(0)
        expect(answer.usage.output).toBeGreaterThan(0)
        expect(answer.attempts).toHaveLength(source === "replay" ? 0 : attempts)
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
        expect(answer).toMatchObject({ finishReason: "length", stopReason: words[1] })
        expect(answer.usage.output).toBe(3)
      }),
    )

    it.effect(
      "streams every answer as generate gives it: Started first, Finished last, all of its content between",
      () =>
        Effect.gen(function* () {
          const llm = yield* LlmClient
          for (const asked of all) {
            const whole = yield* llm.generate(asked)
            const chunks = [...(yield* Stream.runCollect(llm.stream(asked)))]
            const last = chunks.at(-1)
            expect(chunks[0]?._tag).toBe("Started")
            expect(chunks.filter(({ _tag }) => _tag === "Started" || _tag === "Finished")).toHaveLength(2)
            const { attempts: told, requestId: _first, ...expected } = whole
            const {
              attempts: streamed,
              requestId: _second,
              ...given
            } = last?._tag === "Finished" ? last.response : whole
            expect(last?._tag).toBe("Finished")
            expect(given).toEqual(expected)
            expect(streamed).toHaveLength(told.length)
            const text = chunks.map((chunk) => (chunk._tag === "Text" ? chunk.text : "")).join("")
            expect(text).toBe(Llm.text(whole))
            const json = chunks.map((chunk) => (chunk._tag === "ToolInput" ? chunk.json : "")).join("")
            const [call] = Llm.toolCalls(whole)
            expect(json === "" ? undefined : JSON.parse(json)).toEqual(call?.input)
          }
        }),
    )

    it.effect("each run of a stream is an answer of its own, and one that is left early leaves nothing behind", () =>
      Effect.gen(function* () {
        const stream = (yield* LlmClient).stream(plain)
        const first = yield* Stream.runCollect(Stream.take(stream, 1))
        const second = yield* Stream.runCollect(stream)
        expect([...first].map(({ _tag }) => _tag)).toEqual(["Started"])
        expect([...second].at(-1)?._tag).toBe("Finished")
      }),
    )

    it.effect("has an address without credentials, or none", () =>
      Effect.gen(function* () {
        const { baseUrl } = yield* LlmClient
        expect(baseUrl === null || /^http:\/\/127\.0\.0\.1:\d+(?:\/v1)?$/.test(baseUrl)).toBe(true)
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
