import * as Schema from "effect/Schema"
import { Timestamp } from "./Timestamp.js"

/** Who says that a run belongs to a commit. */
export const CommitSource = Schema.Literal("manual", "llm", "ci")
export type CommitSource = typeof CommitSource.Type

const orNull = <A, I>(schema: Schema.Schema<A, I>) =>
  Schema.optionalWith(Schema.NullOr(schema), { default: () => null })

/** The hash of a commit, whole or shortened. */
export const CommitHash = Schema.String.pipe(
  Schema.pattern(/^[0-9a-fA-F]{7,40}$/, { message: () => "expected 7 to 40 hexadecimal digits" }),
)

/** The commit that a run belongs to. An author or a time that is absent or null leaves what is known. */
export const CommitAssociation = Schema.Struct({
  commit_hash: CommitHash,
  commit_source: CommitSource,
  commit_author: orNull(Schema.String),
  commit_timestamp: orNull(Timestamp),
}).annotations({ identifier: "CommitAssociation" })
export type CommitAssociation = typeof CommitAssociation.Type
