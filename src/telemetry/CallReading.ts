import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import { AnswerSource, LlmError } from "../domain/Llm.js"
import { isSandboxId, SANDBOX_HEADER } from "../domain/SandboxHeader.js"
import * as Usage from "../domain/Usage.js"
import type * as Warnings from "./Warnings.js"

/** What an answer tells of itself, each in the words of the SDK that gave it. Any of them may be a promise. */
export interface Extractors<A> {
  /**
   * The tokens: a `Usage`, or what a provider or an SDK reports, such as `answer.usage`, or better the whole answer, which tells
   * more. The answer itself when absent.
   */
  readonly usage?: ((answer: A) => unknown) | undefined
  /** The provider's or the SDK's word for why it ended. */
  readonly finishReason?: ((answer: A) => unknown) | undefined
  /** The model that answered; the price is that of this one. */
  readonly responseModel?: ((answer: A) => unknown) | undefined
  /** The response's headers, a `Headers` or a record: they name the request, and tell the sandbox from a provider. */
  readonly headers?: ((answer: A) => unknown) | undefined
  /**
   * Whether a provider gave the answer, whose tokens are bought, or the `sandbox` or a `replay` did, which cost nothing. Told by the
   * headers or the answer's own id when absent; where neither shows the sandbox, the answer counts as bought.
   */
  readonly source?: AnswerSource | ((answer: A) => unknown) | undefined
  /** What is kept of the answer, and hashed. Nothing when absent. */
  readonly output?: ((answer: A) => unknown) | undefined
}

/** What was read off an answer. */
export interface Reading {
  readonly usage: Usage.Usage
  readonly stopReason: string | null
  readonly responseModel: string | null
  readonly requestId: string | null
  readonly source: AnswerSource
  /** As JSON, with its hash; none when there is no output, or none that is JSON. */
  readonly output: Option.Option<Given>
}

/** Something of somebody else's shape, as JSON. */
export interface Given {
  readonly value: unknown
  readonly sha256: string
}

const parse = Schema.decodeUnknownSync(Schema.parseJson(Schema.Unknown))

/** A copy as plain JSON, and its hash. Throws on what is none, such as what holds itself. */
export const given = (value: unknown): Given => {
  const text = CanonicalJson.stringify(value)
  return { value: parse(text), sha256: CanonicalJson.sha256Hex(text) }
}

/** The hash of an answer that nobody showed. */
export const UNSEEN = CanonicalJson.hash(null)

const PATIENCE = "2 seconds"

class NotSettled extends Schema.TaggedError<NotSettled>()("NotSettled", { message: Schema.String }) {}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && "then" in value && typeof value.then === "function"

/** What an extractor gives, waited for when that is a promise. Whatever it throws is a defect. */
const extracted = <A>(extract: (answer: A) => unknown, answer: A): Effect.Effect<unknown, NotSettled> =>
  Effect.suspend(() => {
    const value = extract(answer)
    if (!isThenable(value)) return Effect.succeed(value)
    return Effect.interruptible(Effect.promise(() => Promise.resolve(value))).pipe(
      Effect.timeoutFail({
        duration: PATIENCE,
        onTimeout: () => new NotSettled({ message: `the promise of it has not settled within ${PATIENCE}` }),
      }),
    )
  })

const isUsage = Schema.is(Usage.Usage)

class NoUsage extends Schema.TaggedError<NoUsage>()("NoUsage", { message: Schema.String }) {}

const usageOf = (value: unknown, wasAsked: boolean): Effect.Effect<Usage.Usage, NoUsage> =>
  Effect.suspend(() => {
    const usage = isUsage(value) ? value : Usage.fromUnknown(value)
    return usage.source === "none" && wasAsked
      ? new NoUsage({ message: "nothing in it is a token count of a known dialect" })
      : Effect.succeed(usage)
  })

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** A header by its lower-case name, in a `Headers` or a record of any spelling. */
const headerOf = (headers: unknown, name: string): string | null => {
  if (headers instanceof Headers) return headers.get(name)
  const entries = isRecord(headers) ? Object.entries(headers) : []
  const found = entries.find(([key]) => key.toLowerCase() === name)?.[1]
  return typeof found === "string" ? found : null
}

/** Of data only: a getter of somebody else's may do more than get, and a proxy may throw. */
const dataOf = (value: unknown, name: string): unknown => {
  try {
    return isRecord(value) ? Object.getOwnPropertyDescriptor(value, name)?.value : undefined
  } catch {
    return undefined
  }
}

/** The ids that an answer bears by itself: that of a raw response, or of a part that tells of the response. */
const idsOf = (answer: unknown): ReadonlyArray<unknown> => {
  const content = dataOf(answer, "content")
  const parts: ReadonlyArray<unknown> = Array.isArray(content) ? content : []
  const told = parts.filter((part) => dataOf(part, "type") === "response-metadata").map((part) => dataOf(part, "id"))
  return [dataOf(answer, "id"), ...told.map((id) => (Option.isOption(id) ? Option.getOrUndefined(id) : id))]
}

const isSource = Schema.is(AnswerSource)

const sourceOf = (told: unknown, headers: unknown, answer: unknown): AnswerSource => {
  if (isSource(told)) return told
  const isSandbox =
    headerOf(headers, SANDBOX_HEADER) !== null || idsOf(answer).some((id) => typeof id === "string" && isSandboxId(id))
  return isSandbox ? "sandbox" : "provider"
}

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)

/** What a call that failed used for sure, by the usage that its error bears; none when it bears none. Never throws. */
export const ofError = (error: unknown): Pick<Reading, "usage" | "source"> => {
  const told = dataOf(error, "usage")
  const source = dataOf(error, "source")
  return {
    usage: isUsage(told) ? told : Usage.fromUnknown(told),
    source: error instanceof LlmError && isSource(source) ? source : "provider",
  }
}

/**
 * Reads an answer. Never fails and never throws: what an extractor throws, or what makes no sense, is a log warning, and the
 * answer tells nothing there.
 */
export const read = <A>(extractors: Extractors<A>, answer: A, warnings: Warnings.Warnings): Effect.Effect<Reading> =>
  Effect.gen(function* () {
    const optional = (what: string, extract: ((answer: A) => unknown) | undefined) =>
      extract === undefined
        ? Effect.succeed(undefined)
        : Effect.map(
            warnings.optional(`${what} of a call could not be read`, extracted(extract, answer)),
            Option.getOrUndefined,
          )
    const { finishReason, responseModel, source, usage } = extractors
    const counted = Effect.flatMap(usage === undefined ? Effect.succeed(answer) : extracted(usage, answer), (value) =>
      usageOf(value, usage !== undefined),
    )
    // Together, so that promises that never settle are waited for once.
    const told = yield* Effect.all(
      {
        used: warnings.optional("The usage of a call could not be read", counted),
        headers: optional("The headers", extractors.headers),
        output: optional("The output", extractors.output),
        end: optional("The end", finishReason),
        model: optional("The model", responseModel),
        source: typeof source === "function" ? optional("The source", source) : Effect.succeed(source),
      },
      { concurrency: "unbounded" },
    )
    const { headers, output } = told
    return {
      usage: Option.getOrElse(told.used, () => Usage.none),
      stopReason: text(told.end),
      responseModel: text(told.model),
      requestId: headerOf(headers, "request-id") ?? headerOf(headers, "x-request-id"),
      source: sourceOf(told.source, headers, answer),
      output:
        output === undefined
          ? Option.none()
          : yield* warnings.optional(
              "The output of a call could not be kept",
              Effect.sync(() => given(output)),
            ),
    }
  })
