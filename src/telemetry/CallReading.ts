import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "../domain/CanonicalJson.js"
import type { AnswerSource } from "../domain/Llm.js"
import { SANDBOX_HEADER } from "../domain/SandboxHeader.js"
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

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)

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
    const { usage } = extractors
    const counted = Effect.flatMap(usage === undefined ? Effect.succeed(answer) : extracted(usage, answer), (value) =>
      usageOf(value, usage !== undefined),
    )
    const used = yield* warnings.optional("The usage of a call could not be read", counted)
    const headers = yield* optional("The headers", extractors.headers)
    const output = yield* optional("The output", extractors.output)
    return {
      usage: Option.getOrElse(used, () => Usage.none),
      stopReason: text(yield* optional("The end", extractors.finishReason)),
      responseModel: text(yield* optional("The model", extractors.responseModel)),
      requestId: headerOf(headers, "request-id") ?? headerOf(headers, "x-request-id"),
      source: headerOf(headers, SANDBOX_HEADER) === null ? "provider" : "sandbox",
      output:
        output === undefined
          ? Option.none()
          : yield* warnings.optional(
              "The output of a call could not be kept",
              Effect.sync(() => given(output)),
            ),
    }
  })
