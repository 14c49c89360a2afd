import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** A stream that has given its first chunk already: one that fails before fails here, where it can still be answered. */
export const begun = <A, E>(stream: Stream.Stream<A, E>): Effect.Effect<Stream.Stream<A, E>, E, Scope.Scope> =>
  Effect.gen(function* () {
    const pull = yield* Stream.toPull(stream)
    const first = yield* Effect.catchAll(
      Effect.asSome(pull),
      Option.match({ onNone: () => Effect.succeedNone, onSome: (error) => Effect.fail(error) }),
    )
    return Option.match(first, {
      onNone: () => Stream.empty,
      onSome: (chunk) => Stream.concat(Stream.fromChunk(chunk), Stream.repeatEffectChunkOption(pull)),
    })
  })

/**
 * The same bytes, of which a client that got them to the end has all: when they fail midway the cause is logged and the
 * connection destroyed, as the platform would end the answer like a whole one.
 */
export const orCutOff = <E>(
  bytes: Stream.Stream<Uint8Array, E>,
): Effect.Effect<Stream.Stream<Uint8Array>, never, HttpServerRequest.HttpServerRequest> =>
  Effect.map(HttpServerRequest.HttpServerRequest, (request) => {
    const cut = Effect.sync(() => {
      NodeHttpServerRequest.toIncomingMessage(request).socket.destroy()
    })
    return Stream.catchAllCause(bytes, (cause) =>
      Cause.isInterruptedOnly(cause)
        ? Stream.execute(Effect.interrupt)
        : Stream.execute(
            Effect.logError(`The answer to ${request.method} ${request.url.split("?")[0]} was cut off.`, cause).pipe(
              Effect.zipRight(cut),
              Effect.zipRight(Effect.interrupt),
            ),
          ),
    )
  })
