import * as Either from "effect/Either"
import * as Schema from "effect/Schema"

/** Reads JSON that breaks off as far as it goes. */
export type PartialParse = (json: string) => unknown

const decodeJson = Schema.decodeEither(Schema.parseJson(Schema.Unknown))

/** A tool's name, whether the answer that calls it was cut, and how what was cut is read. */
export interface Reading {
  readonly name: string
  readonly isCut: boolean
  readonly partial: PartialParse
}

/**
 * The input of a tool call from the JSON that the model wrote; on the left what is wrong with it, in words. An answer that was
 * cut keeps what had come of it; in any other, what is no JSON is no call that a program could make.
 */
export const parse = (json: string, { isCut, name, partial }: Reading): Either.Either<unknown, string> => {
  const wrong = `the input of tool call ${name} is not JSON`
  return Either.orElse(
    Either.mapLeft(decodeJson(json), () => wrong),
    () => (isCut ? Either.try({ try: () => partial(json), catch: () => wrong }) : Either.left(wrong)),
  )
}
