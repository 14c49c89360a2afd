import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as Schema from "effect/Schema"

/** The request was understood and refused, or cannot be served now; `detail` says why in words for people. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  status: Schema.Literal(400, 404, 408, 413, 415, 503),
  detail: Schema.String,
}) {}

/** One thing that is wrong with a request: where (`["body", "start_time"]`), what, and of which kind. */
export const Issue = Schema.Struct({
  loc: Schema.Array(Schema.Union(Schema.String, Schema.Int)),
  msg: Schema.String,
  type: Schema.String,
}).annotations({ identifier: "ValidationIssue" })
export type Issue = typeof Issue.Type

/** The request does not have the shape that is asked for. */
export class Invalid extends Schema.TaggedError<Invalid>()("Invalid", { detail: Schema.Array(Issue) }) {}

const Detail = Schema.Struct({ detail: Schema.String }).annotations({ identifier: "Error" })
const Issues = Schema.Struct({ detail: Schema.Array(Issue) }).annotations({ identifier: "ValidationError" })

/** {@link Refused} of one status as the outside sees it: `{"detail": "…"}`. */
export const refused = (status: Refused["status"], description: string) =>
  Schema.transform(Detail, Schema.typeSchema(Refused).pipe(Schema.filter((error) => error.status === status)), {
    strict: true,
    decode: ({ detail }) => new Refused({ status, detail }),
    encode: ({ detail }) => ({ detail }),
  }).annotations(HttpApiSchema.annotations({ status, description }))

/** {@link Invalid} as the outside sees it: `{"detail": [{loc, msg, type}]}`. */
export const invalid = Schema.transform(Issues, Schema.typeSchema(Invalid), {
  strict: true,
  decode: ({ detail }) => new Invalid({ detail }),
  encode: ({ detail }) => ({ detail }),
}).annotations(HttpApiSchema.annotations({ status: 422, description: "The request does not have the right shape" }))

export const badRequest = refused(400, "The request cannot be understood")
export const notFound = refused(404, "There is no such run")
export const tooSlow = refused(408, "The body stopped coming")
export const tooLarge = refused(413, "The body is too large")
export const answerTooLarge = refused(413, "The answer would be too large")
export const notJson = refused(415, "The body is not application/json")
export const unavailable = refused(503, "The store cannot do this now; ask again later")
