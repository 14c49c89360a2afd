import { describe, expect, it } from "@effect/vitest"
import type { ConfigError } from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as LlmClientOpenAiCompatible from "../../layers/LlmClientOpenAiCompatible.js"
import { LlmClient } from "../../services/LlmClient.js"

const built = (layer: Layer.Layer<LlmClient, ConfigError>, settings: Readonly<Record<string, string>>) =>
  Effect.flatMap(LlmClient, ({ provider }) => Effect.succeed(provider)).pipe(
    Effect.provide(layer),
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings)))),
    Effect.catchAll((error) => Effect.succeed(String(error))),
  )

describe("a model layer without a key", () => {
  it.live("does not say what to set, or that the sandbox needs none", () =>
    Effect.gen(function* () {
      for (const settings of [{}, { ANTHROPIC_API_KEY: "" }]) {
        const said = yield* built(LlmClientAnthropic.layerConfig(), settings)
        expect(said).toMatch(
          /^\(Missing data at ANTHROPIC_API_KEY: "ANTHROPIC_API_KEY is not set\..*npx runledger sandbox.*"\)$/,
        )
      }
      const openAi = yield* built(LlmClientOpenAiCompatible.layerConfig(), {})
      expect(openAi).toMatch(/OPENAI_API_KEY is not set\..*OPENAI_BASE_URL.*npx runledger sandbox/)
    }),
  )

  it.live("refuses what is set, or a server that takes no key", () =>
    Effect.gen(function* () {
      expect(yield* built(LlmClientAnthropic.layerConfig(), { ANTHROPIC_API_KEY: "any" })).toBe("anthropic")
      expect(yield* built(LlmClientOpenAiCompatible.layerConfig(), { OPENAI_API_KEY: "any" })).toBe("openai")
      expect(yield* built(LlmClientOpenAiCompatible.layerConfig(), { OPENAI_BASE_URL: "http://localhost:1/v1" })).toBe(
        "openai",
      )
    }),
  )
})
