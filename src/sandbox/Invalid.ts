import * as ParseResult from "effect/ParseResult"

/** What is wrong with a request, in one line: where, and what. */
export const words = (error: ParseResult.ParseError): string => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return issue === undefined ? "invalid request" : `${issue.path.map(String).join(".") || "body"}: ${issue.message}`
}
