import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as LlmClientOpenAiCompatible from "../../layers/LlmClientOpenAiCompatible.js"
import type { LlmClient } from "../../services/LlmClient.js"
import type { LlmRequest } from "../../src/domain/Llm.js"
import * as Sandbox from "../../src/sandbox/Sandbox.js"

/** The key of every test; no output may hold it. */
export const KEY = "sk-ant-test-0123456789abcdef"

/** A request that differs from another only where the test says. */
export const request = (fields: Partial<LlmRequest> = {}): LlmRequest => ({
  model: "claude-sonnet-4-5",
  messages: [{ role: "user", content: "Water boils at 100 degrees. It freezes at 0 degrees." }],
  temperature: 0,
  maxTokens: 200,
  ...fields,
})

/** The live client layer at an address, with retries that do not wait. */
export const clientAt = (
  baseUrl: string,
  options: Partial<LlmClientAnthropic.LlmClientAnthropicOptions> = {},
): Layer.Layer<LlmClient> =>
  LlmClientAnthropic.layer({ apiKey: Redacted.make(KEY), baseUrl, retryBase: "1 millis", ...options })

/** The live client layer against a sandbox of its own that misbehaves as told. */
export const client = (
  faults = "",
  options: Partial<LlmClientAnthropic.LlmClientAnthropicOptions> = {},
): Layer.Layer<LlmClient, Sandbox.SandboxError> =>
  Layer.unwrapScoped(Effect.map(Sandbox.serve({ faults }), ({ url }) => clientAt(url, options)))

/** The live chat client layer at an address that ends in `/v1`, with retries that do not wait. */
export const chatClientAt = (
  baseUrl: string,
  options: Partial<LlmClientOpenAiCompatible.LlmClientOpenAiCompatibleOptions> = {},
): Layer.Layer<LlmClient> =>
  LlmClientOpenAiCompatible.layer({ apiKey: Redacted.make(KEY), baseUrl, retryBase: "1 millis", ...options })

/** The live chat client layer against a sandbox of its own that misbehaves as told. */
export const chatClient = (
  faults = "",
  options: Partial<LlmClientOpenAiCompatible.LlmClientOpenAiCompatibleOptions> = {},
): Layer.Layer<LlmClient, Sandbox.SandboxError> =>
  Layer.unwrapScoped(Effect.map(Sandbox.serve({ faults }), ({ url }) => chatClientAt(`${url}/v1`, options)))
