import * as Data from "effect/Data"

/** Why an input cannot be used. */
export type InputProblem =
  | "NotFound"
  | "NotAFolder"
  | "Unreadable"
  | "Empty"
  | "NoText"
  | "RefusedUrl"
  | "CannotReach"
  | "RefNotFound"

/**
 * The folder or git URL that was named cannot be documented. `target` is as it was named, without credentials; `message`
 * says what is wrong with it and what to do next. Raised before any model is asked.
 */
export class InputError extends Data.TaggedError("InputError")<{
  readonly problem: InputProblem
  readonly target: string
  readonly message: string
  readonly cause?: unknown
}> {}
