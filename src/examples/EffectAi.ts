import * as LanguageModel from "@effect/ai/LanguageModel"
import * as AnthropicClient from "@effect/ai-anthropic/AnthropicClient"
import * as AnthropicLanguageModel from "@effect/ai-anthropic/AnthropicLanguageModel"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runledger from "../../layers/Runledger.js"
import { CallSpan, RecordedRun, Usage } from "../index.js"

const model = "claude-sonnet-4-5"

const prompt = "Write a haiku about ledgers."

/** Asks by `@effect/ai`. The recorded call has the same type, errors and requirements as the plain one. */
const program = Effect.map(
  CallSpan.record(LanguageModel.generateText({ prompt }), {
    provider: "anthropic",
    model,
    request: { model, prompt },
    usage: Usage.fromEffectAi,
    finishReason: (answer) => answer.finishReason,
    output: (answer) => answer.text,
  }),
  ({ text }) => text,
)

const Client = AnthropicClient.layerConfig({
  apiKey: Config.redacted("ANTHROPIC_API_KEY"),
  apiUrl: Config.string("ANTHROPIC_BASE_URL"),
})
const Model = AnthropicLanguageModel.layer({ model }).pipe(Layer.provide(Client), Layer.provide(FetchHttpClient.layer))

const Recorded = RecordedRun.calls({ agent_name: "poet", job_type: "haiku" }).pipe(
  Layer.provide(Runledger.layer({ name: "haiku" })),
)

export const main = Effect.provide(program, Layer.merge(Recorded, Model))
