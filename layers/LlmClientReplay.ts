import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { EvidenceStoreService } from "../services/EvidenceStore.js"
import { LlmClient, type LlmClientService } from "../services/LlmClient.js"
import type { Evidence } from "../src/domain/Evidence.js"
import { LlmError, type LlmRequest, type LlmResponse, promptHash } from "../src/domain/Llm.js"
import { none } from "../src/domain/Usage.js"

export interface LlmClientReplayOptions {
  /** Where recorded answers are looked for, first store first. */
  readonly sources: ReadonlyArray<EvidenceStoreService>
  /** Who answers what is not recorded; none: such a call fails. */
  readonly fallback: Option.Option<LlmClientService>
}

const recorded = (evidence: Evidence): Option.Option<LlmResponse> =>
  evidence.status === "success" && typeof evidence.response === "object"
    ? Option.some({ ...evidence.response, attempts: [], source: "replay" })
    : Option.none()

/** The first store's answer; a store that cannot be read counts as one that has none, with a warning. */
const lookUp = (
  sources: ReadonlyArray<EvidenceStoreService>,
  hash: string,
): Effect.Effect<Option.Option<LlmResponse>> =>
  Effect.reduce(sources, Option.none<LlmResponse>(), (found, source) =>
    Option.isSome(found)
      ? Effect.succeed(found)
      : source.findByPrompt(hash).pipe(
          Effect.map(Option.flatMap(recorded)),
          Effect.catchTag("EvidenceError", (error) =>
            Effect.as(Effect.logWarning(`Replay skips evidence that cannot be read: ${error.message}`), Option.none()),
          ),
        ),
  )

const notRecorded = (request: LlmRequest, hash: string): LlmError =>
  new LlmError({
    reason: "NotRecorded",
    message: `No recorded answer of ${request.model} for prompt ${hash.slice(0, 12)}…: the prompt, model or settings differ from those of the recorded run, or its evidence was redacted or not kept. Run once with a provider (or the sandbox) and replay that run.`,
    retryable: false,
    status: null,
    requestId: null,
    attempts: [],
    usage: none,
    source: "replay",
  })

const make = ({ fallback, sources }: LlmClientReplayOptions): LlmClientService => ({
  provider: Option.match(fallback, { onNone: () => "replay", onSome: ({ provider }) => provider }),
  baseUrl: Option.match(fallback, { onNone: () => null, onSome: ({ baseUrl }) => baseUrl }),
  generate: (request) => {
    const hash = promptHash(request)
    return Effect.flatMap(
      lookUp(sources, hash),
      Option.match({
        onSome: (response) => Effect.succeed(response),
        onNone: () =>
          Option.match(fallback, {
            onSome: (client) => client.generate(request),
            onNone: () => Effect.fail(notRecorded(request, hash)),
          }),
      }),
    )
  },
})

/**
 * Answers calls from the evidence of earlier ones with the same prompt hash: at once, at no cost, without attempts. A miss
 * goes to the fallback, under whose name and prices all calls stand (an answer says by itself that it is a replay), or fails with
 * `NotRecorded`.
 */
export const layer = (options: LlmClientReplayOptions): Layer.Layer<LlmClient> =>
  Layer.sync(LlmClient, () => make(options))
