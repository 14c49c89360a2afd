import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { EvidenceStoreService } from "../services/EvidenceStore.js"
import { LlmClient, type LlmClientService } from "../services/LlmClient.js"
import type { Evidence } from "../src/domain/Evidence.js"
import { answerOf } from "../src/domain/KeptEvidence.js"
import { LlmError, type LlmRequest, type LlmResponse, promptHash } from "../src/domain/Llm.js"
import { ofResponse } from "../src/domain/LlmChunk.js"
import { none } from "../src/domain/Usage.js"

export interface LlmClientReplayOptions {
  /** Where recorded answers are looked for, first store first. */
  readonly sources: ReadonlyArray<EvidenceStoreService>
  /** Who answers what is not recorded; none: such a call fails. */
  readonly fallback: Option.Option<LlmClientService>
}

const recorded = (evidence: Evidence): Option.Option<LlmResponse> =>
  Option.map(Option.fromNullable(answerOf(evidence)), (answer) => ({ ...answer, attempts: [], source: "replay" }))

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

type Answering = Pick<LlmClientService, "generate" | "stream">

const answering = (response: LlmResponse): Answering => ({
  generate: () => Effect.succeed(response),
  stream: () => Stream.fromIterable(ofResponse(response)),
})

const make = ({ fallback, sources }: LlmClientReplayOptions): LlmClientService => {
  const answererOf = (request: LlmRequest): Effect.Effect<Answering, LlmError> => {
    const hash = promptHash(request)
    return Effect.flatMap(lookUp(sources, hash), (found) =>
      Option.match(
        Option.orElse(Option.map(found, answering), () => fallback),
        {
          onSome: Effect.succeed,
          onNone: () => Effect.fail(notRecorded(request, hash)),
        },
      ),
    )
  }
  return {
    provider: Option.match(fallback, { onNone: () => "replay", onSome: ({ provider }) => provider }),
    baseUrl: Option.match(fallback, { onNone: () => null, onSome: ({ baseUrl }) => baseUrl }),
    generate: (request) => Effect.flatMap(answererOf(request), (answerer) => answerer.generate(request)),
    stream: (request) => Stream.unwrap(Effect.map(answererOf(request), (answerer) => answerer.stream(request))),
  }
}

/**
 * Answers calls from the evidence of earlier ones with the same prompt hash: at once, at no cost, without attempts. A miss
 * goes to the fallback, under whose name and prices all calls stand (an answer says by itself that it is a replay), or fails with
 * `NotRecorded`. A stream of a recorded answer is the whole of it at once, one chunk a block.
 */
export const layer = (options: LlmClientReplayOptions): Layer.Layer<LlmClient> =>
  Layer.sync(LlmClient, () => make(options))
