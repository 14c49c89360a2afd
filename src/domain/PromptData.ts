import * as Either from "effect/Either"
import { pipe } from "effect/Function"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as CanonicalJson from "./CanonicalJson.js"

/**
 * A claim as a prompt shows it. `claim_kind` is one of limitation, workflow, api, format, feature; `heading` is the one of
 * the required headings under which it belongs, when the plan says so.
 */
export const PromptClaim = Schema.Struct({
  claim_id: Schema.NonEmptyString,
  claim_text: Schema.String,
  claim_kind: Schema.String,
  heading: Schema.optional(Schema.String),
})
export type PromptClaim = typeof PromptClaim.Type

/** A snippet as a prompt shows it. */
export const PromptSnippet = Schema.Struct({
  snippet_id: Schema.NonEmptyString,
  language: Schema.String,
  code: Schema.String,
  source_path: Schema.String,
})
export type PromptSnippet = typeof PromptSnippet.Type

/** What an enrichment prompt is about. */
export const EnrichClaims = Schema.Struct({ claims: Schema.Array(PromptClaim) })
export type EnrichClaims = typeof EnrichClaims.Type

/** What a section prompt is about. */
export const WriteSection = Schema.Struct({
  product_name: Schema.String,
  title: Schema.String,
  page_role: Schema.String,
  purpose: Schema.String,
  required_headings: Schema.Array(Schema.String),
  claims: Schema.Array(PromptClaim),
  snippets: Schema.Array(PromptSnippet),
})
export type WriteSection = typeof WriteSection.Type

/** The data of a prompt, apart from its instructions. */
export type PromptData =
  | { readonly kind: "enrich_claims"; readonly data: EnrichClaims }
  | { readonly kind: "write_section"; readonly data: WriteSection }

export type PromptDataKind = PromptData["kind"]

const TAG = "runledger-data"
const BLOCK = new RegExp(`<${TAG} kind="([a-z_]+)">\\n(.*)\\n</${TAG}>`)

// Claims and snippets are untrusted text: no `<` of theirs may open or close a tag, nor a line end of theirs end the line.
const escape = (json: string): string =>
  json
    .replace(/</g, "\\u003c")
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029")

/**
 * A data block for a prompt: one line of JSON between tags, in which no text of the data can close the block. Equal data
 * give the same text, so a prompt made of it has one hash.
 */
export const embed = (prompt: PromptData): string =>
  `<${TAG} kind="${prompt.kind}">\n${escape(CanonicalJson.stringify(prompt.data))}\n</${TAG}>`

const parseJson = Schema.parseJson(Schema.Unknown)

const decode = (kind: string, json: string): Option.Option<PromptData> => {
  const raw = Schema.decodeEither(parseJson)(json)
  if (Either.isLeft(raw)) return Option.none()
  switch (kind) {
    case "enrich_claims":
      return Option.map(Schema.decodeUnknownOption(EnrichClaims)(raw.right), (data) => ({ kind, data }))
    case "write_section":
      return Option.map(Schema.decodeUnknownOption(WriteSection)(raw.right), (data) => ({ kind, data }))
    default:
      return Option.none()
  }
}

/** The first data block of a text, read back; none when there is no block or its content is not what its kind says. */
export const extract = (text: string): Option.Option<PromptData> =>
  pipe(
    Option.fromNullable(BLOCK.exec(text)),
    Option.flatMap(([, kind, json]) => decode(kind ?? "", json ?? "")),
  )
