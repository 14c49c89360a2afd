import type { Anthropic } from "@anthropic-ai/sdk"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { LlmClient, type LlmClientService } from "../services/LlmClient.js"
import { type AnswerSource, type Attempt, LlmError, type LlmRequest, type LlmResponse } from "../src/domain/Llm.js"
import { SANDBOX_HEADER } from "../src/domain/SandboxHeader.js"
import { mask, maskedError } from "../src/domain/Secrets.js"
import { type AttemptFailure, failure, nextStep } from "./AnthropicFailure.js"
import { type Answered, type Endpoint, makeEndpoint, send } from "./AnthropicHttp.js"

const DEFAULT_BASE_URL = "https://api.anthropic.com"

export interface LlmClientAnthropicOptions {
  readonly apiKey: Redacted.Redacted<string>
  /** Where the Messages API is, without `/v1`; the provider's own address by default. */
  readonly baseUrl?: string | undefined
  /** Longest duration of one attempt, from the request to the answer's last byte; 120 seconds by default. */
  readonly timeout?: Duration.DurationInput | undefined
  /** Attempts after the first; 3 by default. */
  readonly maxRetries?: number | undefined
  /** Wait before the first retry, doubled each time with jitter; 500 ms by default, never more than 8 s. */
  readonly retryBase?: Duration.DurationInput | undefined
  /** A `retry-after` longer than this is not waited for; 2 minutes by default. */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
  /** The address is known to be the sandbox's, which counts for calls that get no answer at all; false by default. */
  readonly sandbox?: boolean | undefined
}

interface Policy {
  readonly timeout: Duration.Duration
  readonly maxRetries: number
  readonly retryBase: Duration.Duration
  readonly maxRetryAfterMs: number
}

const RETRY_CAP = Duration.seconds(8)

/** Doubling waits with jitter, and no less than the server asks for; as often as the policy allows. */
const retries = ({ maxRetries, maxRetryAfterMs, retryBase }: Policy) =>
  Schedule.exponential(retryBase).pipe(
    Schedule.modifyDelay((_, delay) => Duration.min(delay, RETRY_CAP)),
    Schedule.jittered,
    Schedule.intersect(Schedule.recurs(maxRetries)),
    Schedule.zipRight(Schedule.identity<AttemptFailure>()),
    Schedule.modifyDelay((failed, delay) => Duration.max(delay, Duration.millis(failed.retryAfterMs ?? 0))),
    Schedule.whileInput(
      (failed: AttemptFailure) =>
        failed.again && (failed.retryAfterMs === null || failed.retryAfterMs <= maxRetryAfterMs),
    ),
  )

const monotonicMillis = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** One attempt, timed and added to `attempts` whether it succeeds or fails. */
const attempted = (
  attempts: Ref.Ref<ReadonlyArray<Attempt>>,
  policy: Policy,
  once: Effect.Effect<Answered, AttemptFailure>,
) =>
  Effect.gen(function* () {
    const startedAt = new Date(yield* Clock.currentTimeMillis).toISOString()
    const started = yield* monotonicMillis
    const note = (status: number | null, failed: AttemptFailure | null) =>
      Effect.flatMap(monotonicMillis, (ended) =>
        Ref.update(attempts, (earlier) => [
          ...earlier,
          {
            n: earlier.length + 1,
            started_at: startedAt,
            duration_ms: Math.max(0, ended - started),
            http_status: status,
            error_class: failed?.reason ?? null,
            retry_after_ms: failed?.retryAfterMs ?? null,
          },
        ]),
      )
    return yield* once.pipe(
      Effect.timeoutFail({
        duration: policy.timeout,
        onTimeout: () =>
          failure({ reason: "Timeout", detail: `no answer within ${Duration.format(policy.timeout)}`, again: true }),
      }),
      Effect.tap((answered) => note(answered.status, null)),
      Effect.tapError((failed) => note(failed.status, failed)),
    )
  })

const toError = (
  failed: AttemptFailure,
  about: {
    readonly request: LlmRequest
    readonly endpoint: Endpoint
    readonly attempts: ReadonlyArray<Attempt>
    readonly source: AnswerSource
  },
): LlmError => {
  const { attempts, endpoint, request, source } = about
  const { secrets } = endpoint
  const tries = attempts.length > 1 ? ` after ${attempts.length} attempts` : ""
  const status = failed.status === null ? "" : ` (HTTP ${failed.status})`
  const wait =
    failed.retryAfterMs === null
      ? ""
      : ` The provider asks to wait ${Duration.format(Duration.millis(failed.retryAfterMs))}.`
  const what = `${request.model} at ${endpoint.baseUrl ?? "no address"} failed${tries}${status}: ${failed.detail}`
  return new LlmError({
    reason: failed.reason,
    message: mask(`${what.replace(/[.\s]+$/, "")}.${wait} ${nextStep(failed, request.model)}`, secrets),
    retryable: failed.retryable,
    status: failed.status,
    requestId: failed.requestId,
    attempts,
    usage: failed.usage,
    source,
    ...(failed.cause === undefined ? {} : { cause: maskedError(failed.cause, secrets) }),
  })
}

const generateWith =
  (endpoint: Endpoint, policy: Policy, unanswered: AnswerSource) =>
  (request: LlmRequest): Effect.Effect<LlmResponse, LlmError> =>
    Effect.gen(function* () {
      const attempts = yield* Ref.make<ReadonlyArray<Attempt>>([])
      const source = yield* Ref.make(unanswered)
      const once = send(endpoint, request, (headers) =>
        Ref.set(source, headers.has(SANDBOX_HEADER) ? "sandbox" : "provider"),
      )
      const answered = yield* attempted(attempts, policy, once).pipe(
        Effect.retry(retries(policy)),
        Effect.catchTag("AttemptFailure", (failed) =>
          Effect.flatMap(Effect.all([Ref.get(attempts), Ref.get(source)]), ([all, from]) =>
            toError(failed, { request, endpoint, attempts: all, source: from }),
          ),
        ),
      )
      return {
        ...answered.answer,
        requestId: answered.requestId,
        attempts: yield* Ref.get(attempts),
        source: yield* Ref.get(source),
      }
    })

const make = (options: LlmClientAnthropicOptions): Effect.Effect<LlmClientService> =>
  Effect.gen(function* () {
    const sdk = yield* Effect.promise(
      (): Promise<{ readonly Anthropic: typeof Anthropic }> => import("@anthropic-ai/sdk"),
    )
    const policy: Policy = {
      timeout: Duration.decode(options.timeout ?? "120 seconds"),
      maxRetries: Math.max(0, options.maxRetries ?? 3),
      retryBase: Duration.decode(options.retryBase ?? "500 millis"),
      maxRetryAfterMs: Duration.toMillis(options.maxRetryAfter ?? "2 minutes"),
    }
    const endpoint = makeEndpoint(sdk.Anthropic, {
      apiKey: Redacted.value(options.apiKey),
      baseUrl: options.baseUrl ?? DEFAULT_BASE_URL,
      timeoutMillis: Duration.toMillis(policy.timeout),
    })
    return {
      provider: options.sandbox === true ? "sandbox" : "anthropic",
      baseUrl: endpoint.baseUrl,
      generate: generateWith(endpoint, policy, options.sandbox === true ? "sandbox" : "provider"),
    }
  })

/**
 * Claude's Messages API through its official SDK, whose own retries, spans, logs and environment variables are off. The SDK
 * is loaded when the layer is built. An attempt that fails on its connection or its time, or with 408, 409, 429 or from
 * 500 on, is tried again (`x-should-retry` of the server goes first, and no wait is shorter than its `retry-after`); every
 * attempt is in the answer or in the error. Interruption aborts the request, and its attempts are told nowhere. A request
 * with a temperature goes out under the API version that still takes one; models that take none answer 400, and the error
 * says so. Errors hold no key. An answer of the sandbox provider is marked as such, whatever the address and whoever
 * answered before.
 */
export const layer = (options: LlmClientAnthropicOptions): Layer.Layer<LlmClient> =>
  Layer.effect(LlmClient, make(options))

/** {@link layer} with `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`. */
export const layerConfig = (
  options: Omit<LlmClientAnthropicOptions, "apiKey" | "baseUrl"> = {},
): Layer.Layer<LlmClient, ConfigError> =>
  Layer.unwrapEffect(
    Effect.map(
      Config.all({
        apiKey: Config.redacted(Config.nonEmptyString("ANTHROPIC_API_KEY")),
        baseUrl: Config.option(Config.nonEmptyString("ANTHROPIC_BASE_URL")),
      }),
      ({ apiKey, baseUrl }) => layer({ ...options, apiKey, baseUrl: Option.getOrUndefined(baseUrl) }),
    ),
  )
