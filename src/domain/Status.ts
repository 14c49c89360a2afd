import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** How a run, a worker or a call stands. */
export const Status = Schema.Literal("running", "success", "failure", "partial", "timeout", "cancelled")
export type Status = typeof Status.Type

const ALIASES: Readonly<Record<string, Status>> = {
  failed: "failure",
  completed: "success",
  succeeded: "success",
  canceled: "cancelled",
}

const STATUSES: ReadonlySet<unknown> = new Set(Status.literals)

/** Whether a value is a status itself, no alias. */
export const isStatus = (value: unknown): value is Status => STATUSES.has(value)

/** The status that a word means, its aliases included. */
export const parse = (word: string): Option.Option<Status> => {
  if (isStatus(word)) return Option.some(word)
  return Object.hasOwn(ALIASES, word) ? Option.fromNullable(ALIASES[word]) : Option.none()
}

/** A terminal status never goes back to running by an ordinary update. */
export const isTerminal = (status: Status): boolean => status !== "running"

/** A status as a client may write it: `failed`, `completed`, `succeeded` and `canceled` are normalised. */
export const StatusFromAlias = Schema.transformOrFail(Schema.String, Status, {
  strict: true,
  decode: (word, _options, ast) =>
    Option.match(parse(word), {
      onNone: () =>
        ParseResult.fail(
          new ParseResult.Type(ast, word, `unknown status; expected one of ${Status.literals.join(", ")}`),
        ),
      onSome: ParseResult.succeed,
    }),
  encode: (status) => ParseResult.succeed(status),
}).annotations({
  identifier: "Status",
  jsonSchema: { type: "string", enum: [...Status.literals, ...Object.keys(ALIASES)] },
})
