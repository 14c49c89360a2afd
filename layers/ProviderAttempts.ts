import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import { type AnswerSource, type Attempt, LlmError, type LlmRequest, type LlmResponse } from "../src/domain/Llm.js"
import { SANDBOX_HEADER } from "../src/domain/SandboxHeader.js"
import { mask, maskedError } from "../src/domain/Secrets.js"
import { type AttemptFailure, failure } from "./AttemptFailure.js"
import * as AttemptLog from "./AttemptLog.js"
import type { Endpoint } from "./ProviderEndpoint.js"
import * as ProviderHttp from "./ProviderHttp.js"

/** How long and how often a provider is asked; the same settings for every provider. */
export interface PolicyOptions {
  /**
   * Longest duration of one attempt, from the request to the answer's last byte; 120 seconds by default. Of a stream: the
   * longest silence, before the answer and between two events of it.
   */
  readonly timeout?: Duration.DurationInput | undefined
  /** Longest duration of a whole stream, without the time that its reader takes; one hour by default. */
  readonly streamTimeout?: Duration.DurationInput | undefined
  /** Attempts after the first; 3 by default. */
  readonly maxRetries?: number | undefined
  /** Wait before the first retry, doubled each time with jitter; 500 ms by default, never more than 8 s. */
  readonly retryBase?: Duration.DurationInput | undefined
  /** A `retry-after` longer than this is not waited for; 2 minutes by default. */
  readonly maxRetryAfter?: Duration.DurationInput | undefined
}

export interface Policy {
  readonly timeout: Duration.Duration
  readonly streamTimeout: Duration.Duration
  readonly maxRetries: number
  readonly retryBase: Duration.Duration
  readonly maxRetryAfterMs: number
}

/** The policy that options and their defaults make. */
export const policy = (options: PolicyOptions): Policy => ({
  timeout: Duration.decode(options.timeout ?? "120 seconds"),
  streamTimeout: Duration.decode(options.streamTimeout ?? "1 hour"),
  maxRetries: Math.max(0, options.maxRetries ?? 3),
  retryBase: Duration.decode(options.retryBase ?? "500 millis"),
  maxRetryAfterMs: Duration.toMillis(options.maxRetryAfter ?? "2 minutes"),
})

const RETRY_CAP = Duration.seconds(8)

/** Doubling waits with jitter, in whole milliseconds, and no less than the server asks for; as often as the policy allows. */
export const retries = ({ maxRetries, maxRetryAfterMs, retryBase }: Policy) =>
  Schedule.exponential(retryBase).pipe(
    Schedule.modifyDelay((_, delay) => Duration.min(delay, RETRY_CAP)),
    Schedule.jittered,
    Schedule.intersect(Schedule.recurs(maxRetries)),
    Schedule.zipRight(Schedule.identity<AttemptFailure>()),
    Schedule.modifyDelay((failed, delay) =>
      Duration.millis(Math.ceil(Math.max(Duration.toMillis(delay), failed.retryAfterMs ?? 0))),
    ),
    Schedule.whileInput(
      (failed: AttemptFailure) =>
        failed.again && (failed.retryAfterMs === null || failed.retryAfterMs <= maxRetryAfterMs),
    ),
  )

const tooLate = ({ timeout }: Policy): AttemptFailure =>
  failure({ reason: "Timeout", detail: `no whole answer within ${Duration.format(timeout)}`, again: true })

const NOTHING: AttemptLog.Seen = { status: null, requestId: null }

/** One attempt, timed and told to the log whether it succeeds or fails. */
const attempted = (
  log: AttemptLog.AttemptLog,
  policy: Policy,
  once: Effect.Effect<ProviderHttp.Answered, AttemptFailure>,
  seen: Effect.Effect<AttemptLog.Seen>,
): Effect.Effect<ProviderHttp.Answered, AttemptFailure> =>
  Effect.flatMap(log.begin, (running) =>
    once.pipe(
      Effect.timeoutFail({ duration: policy.timeout, onTimeout: () => tooLate(policy) }),
      // An answer that had begun has a status and an id all the same.
      Effect.catchIf(
        (failed) => failed.status === null,
        (failed) => Effect.flatMap(seen, (of) => failure({ ...failed, ...of })),
      ),
      Effect.tap(running.end),
      Effect.tapError((failed) => running.end(failed)),
    ),
  )

/** What to do next about a failure, in one sentence. */
export type NextStep = (failed: AttemptFailure, model: string) => string

export interface FailedCall<Client> {
  readonly request: LlmRequest
  readonly endpoint: Endpoint<Client>
  readonly attempts: ReadonlyArray<Attempt>
  readonly source: AnswerSource
  readonly nextStep: NextStep
}

/** The error of a call whose last attempt failed so; it holds no secret of the endpoint. */
export const toError = <Client>(failed: AttemptFailure, about: FailedCall<Client>): LlmError => {
  const { attempts, endpoint, nextStep, request, source } = about
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

/** Who is asked, how, and how patiently. */
export interface Asking<Client> {
  readonly protocol: ProviderHttp.Protocol<Client>
  readonly endpoint: Endpoint<Client>
  readonly policy: Policy
  /** Whose the call is as long as nobody has answered. */
  readonly unanswered: AnswerSource
  readonly nextStep: NextStep
}

/** One answer to a request, tried as often as the policy allows; every attempt is in the answer or in the error. */
export const generate =
  <Client>({ endpoint, nextStep, policy, protocol, unanswered }: Asking<Client>) =>
  (request: LlmRequest): Effect.Effect<LlmResponse, LlmError> =>
    Effect.gen(function* () {
      const log = AttemptLog.make()
      const source = yield* Ref.make(unanswered)
      const seen = yield* Ref.make(NOTHING)
      const once = ProviderHttp.send(protocol, endpoint, request, (headers, status) =>
        Effect.zipRight(
          Ref.set(seen, { status, requestId: headers.get(protocol.requestIdHeader) }),
          Ref.set(source, headers.has(SANDBOX_HEADER) ? "sandbox" : "provider"),
        ),
      )
      const attempt = attempted(log, policy, Effect.zipRight(Ref.set(seen, NOTHING), once), Ref.get(seen))
      const answered = yield* attempt.pipe(
        Effect.retry(retries(policy)),
        Effect.catchTag("AttemptFailure", (failed) =>
          Effect.flatMap(Effect.all([log.all, Ref.get(source)]), ([all, from]) =>
            toError(failed, { request, endpoint, attempts: all, source: from, nextStep }),
          ),
        ),
      )
      return {
        ...answered.answer,
        requestId: answered.requestId,
        attempts: yield* log.all,
        source: yield* Ref.get(source),
      }
    })
