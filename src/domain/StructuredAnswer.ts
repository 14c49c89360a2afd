import * as Either from "effect/Either"
import { pipe } from "effect/Function"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

const FENCED = /^```[a-z]*[ \t]*\r?\n([\s\S]*?)\r?\n?```$/i
const FENCED_WITHIN = /```(?:json)?[ \t]*\r?\n([\s\S]*?)\r?\n?```/i

const parseJson = Schema.decodeEither(Schema.parseJson(Schema.Unknown))

const between = (text: string, open: string, close: string): ReadonlyArray<string> => {
  const start = text.indexOf(open)
  const end = text.lastIndexOf(close)
  return start >= 0 && end > start ? [text.slice(start, end + 1)] : []
}

/** Where JSON may stand in an answer, likeliest first: the whole, a fenced block, from the first bracket to the last. */
const candidates = (text: string): ReadonlyArray<string> => {
  const whole = text.replace(/^\uFEFF/, "").trim()
  return [
    ...[FENCED.exec(whole)?.[1]].filter((inner) => inner !== undefined),
    whole,
    ...[FENCED_WITHIN.exec(whole)?.[1]].filter((inner) => inner !== undefined),
    ...between(whole, "{", "}"),
    ...between(whole, "[", "]"),
  ]
}

/** The JSON value of an answer, code fences and words around it left out; what is wrong with it otherwise. */
export const parse = (text: string): Either.Either<unknown, string> => {
  if (text.trim() === "") return Either.left("the answer is empty")
  for (const candidate of candidates(text)) {
    const parsed = parseJson(candidate)
    if (Either.isRight(parsed)) return Either.right(parsed.right)
  }
  return Either.left("the answer holds no JSON")
}

/** The value of an answer that must have a shape; otherwise what is wrong with it and where, in one line. */
export const decode =
  <A, I>(schema: Schema.Schema<A, I>) =>
  (text: string): Either.Either<A, string> =>
    pipe(
      parse(text),
      Either.flatMap((value) =>
        Either.mapLeft(Schema.decodeUnknownEither(schema)(value), (error) => {
          const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
          return issue === undefined
            ? "the answer has the wrong shape"
            : `the answer is wrong at ${issue.path.map(String).join(".") || "its top"}: ${issue.message}`
        }),
      ),
    )
