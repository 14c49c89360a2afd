import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as ErrorText from "../domain/ErrorText.js"

/** A layer in the hands of a program that is written in promises. Its scope ends as the program does, which a disposal could not tell. */
export interface PromiseRun<R, E> {
  /** Builds the layer, once. */
  readonly open: () => Promise<Exit.Exit<Runtime.Runtime<R>, E>>
  /** Runs an effect with the layer's services; opens when nobody has. */
  readonly exitOf: <A, E2>(effect: Effect.Effect<A, E2, R>, signal?: AbortSignal) => Promise<Exit.Exit<A, E | E2>>
  /** Closes the layer's scope with this ending; only the first one counts. */
  readonly close: (ending: Exit.Exit<unknown, unknown>) => Promise<void>
}

export const make = <R, E>(layer: Layer.Layer<R, E>): PromiseRun<R, E> => {
  const scope = Effect.runSync(Scope.make())
  let opened: Promise<Exit.Exit<Runtime.Runtime<R>, E>> | undefined
  let closed: Promise<void> | undefined
  const open = () => {
    opened ??= Effect.runPromiseExit(Scope.extend(Layer.toRuntime(layer), scope))
    return opened
  }
  return {
    open,
    exitOf: async (effect, signal) => {
      if (closed !== undefined)
        return Exit.die(new Error("The run has ended already: make its calls before it is closed."))
      const runtime = await open()
      if (Exit.isFailure(runtime)) return Exit.failCause(runtime.cause)
      return Runtime.runPromiseExit(runtime.value)(effect, signal === undefined ? {} : { signal })
    },
    close: (ending) => {
      closed ??= Effect.runPromise(Scope.close(scope, ending))
      return closed
    },
  }
}

/** What was thrown itself, rather than what it was wrapped in or shown as. */
export const thrown = (error: unknown): unknown => {
  const original = Cause.originalError(error)
  return Cause.isUnknownException(original) ? original.error : original
}

/** The value, or a rejection with the error itself. */
export const settled = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw thrown(Cause.squash(exit.cause))
}

/** How a scope ends when a program rejects with this. */
export const rejected = (error: unknown): Exit.Exit<never, unknown> =>
  Cause.isInterruptedException(error) ? Exit.interrupt(FiberId.none) : Exit.fail(error)

/** Why a layer could not be built, as an error that people can read. */
const unbuilt = (cause: Cause.Cause<unknown>): Error => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error : new Error(ErrorText.ofCause(cause).summary, { cause: error })
}

/** Runs a program in what is opened for it, and closes that as the program ended. */
export const around = async <A, R, E>(run: PromiseRun<R, E>, program: () => PromiseLike<A>): Promise<A> => {
  const opened = await run.open()
  if (Exit.isFailure(opened)) {
    await run.close(opened)
    throw unbuilt(opened.cause)
  }
  const exit = await Effect.runPromiseExit(Effect.tryPromise(async () => program()))
  await run.close(Exit.isFailure(exit) ? rejected(thrown(Cause.squash(exit.cause))) : exit)
  return settled(exit)
}
