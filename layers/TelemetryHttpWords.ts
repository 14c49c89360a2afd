import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as ErrorText from "../src/domain/ErrorText.js"
import * as PlainLine from "../src/domain/PlainLine.js"
import * as Redaction from "../src/domain/Redaction.js"

/** Makes one line of at most `limit` characters of what a server or the network says: nothing that steers a terminal, no secret. */
export type Words = (text: string, limit: number) => string

/** Finding secrets by their shape takes time; a server may say megabytes. */
const READ = 4

const MASK = "[REDACTED:known_secret]"
const SHORTEST = 4

/** As it is, as a quotation may show it, in JSON, in a URL. Longest first, so that none leaves a part of another. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const wellFormed = secret.replace(/\p{Surrogate}/gu, "")
  const forms = [secret, PlainLine.of(secret), JSON.stringify(secret).slice(1, -1), encodeURIComponent(wellFormed)]
  return [...new Set(forms)].filter((form) => form.length >= SHORTEST).sort((left, right) => right.length - left.length)
}

/** Words in which the token never stands, however the server quotes it. The token is looked for in the whole text. */
export const make = (token: Option.Option<Redacted.Redacted<string>>): Words => {
  const forms = Option.match(token, { onNone: () => [], onSome: (secret) => formsOf(Redacted.value(secret)) })
  return (text, limit) => {
    const masked = forms.reduce((line, form) => line.replaceAll(form, MASK), PlainLine.of(text))
    return ErrorText.truncate(Redaction.text(ErrorText.truncate(masked, READ * limit)), limit)
  }
}
