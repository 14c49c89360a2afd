import type { IncomingMessage } from "node:http"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as JsonText from "../domain/JsonText.js"
import { Refused } from "./ApiErrors.js"
import * as Intake from "./Intake.js"

/** Most bytes of a body; a batch of operations has a bound of its own. */
export const MAX_BODY_BYTES = 16 * 1024 * 1024

const tooLarge = (limit: number): Refused =>
  new Refused({
    status: 413,
    detail: `The body is larger than ${limit / 1024 / 1024} MiB. Send it in smaller batches.`,
  })

const full = new Refused({ status: 503, detail: Intake.FULL })

const stalled = new Refused({ status: 408, detail: "The body stopped coming. Send it again." })

/**
 * Calls back once nothing came for a while. After the while is over it is looked once more for what came while this process was
 * held up: it is the client that has to have been silent.
 */
const watch = (millis: number, onSilence: () => void): { readonly heard: () => void; readonly stop: () => void } => {
  let last: NodeJS.Immediate | undefined
  const timer = setTimeout(() => {
    last = setImmediate(onSilence)
  }, millis)
  return {
    heard: () => {
      clearImmediate(last)
      timer.refresh()
    },
    stop: () => {
      clearImmediate(last)
      clearTimeout(timer)
    },
  }
}

/**
 * The bytes of a body, at most `limit`, each part taken from the request's share as it comes. What comes after them is read and thrown away, so that a client that is still sending
 * gets to read the answer instead of a reset connection.
 */
const readBytes = (
  incoming: IncomingMessage,
  limit: number,
  share: Intake.ShareService,
): Effect.Effect<Buffer, Refused> =>
  Effect.async<Buffer, Refused>((resume) => {
    const parts: Array<Uint8Array> = []
    let size = 0
    const onData = (part: Uint8Array): void => {
      silence.heard()
      size += part.byteLength
      if (size > limit) finish(Effect.fail(tooLarge(limit)))
      else if (!share.take(part.byteLength)) finish(Effect.fail(full))
      else parts.push(part)
    }
    const onEnd = (): void => finish(Effect.succeed(Buffer.concat(parts)))
    const onError = (): void => finish(Effect.fail(new Refused({ status: 400, detail: "The body was cut off." })))
    const silence = watch(share.stallMillis, () => finish(Effect.fail(stalled)))
    const stop = (): void => {
      silence.stop()
      incoming.off("data", onData).off("end", onEnd).off("error", onError).off("aborted", onError)
    }
    const finish = (result: Effect.Effect<Buffer, Refused>): void => {
      stop()
      incoming.on("error", () => {})
      incoming.resume()
      resume(result)
    }
    incoming.on("data", onData).on("end", onEnd).on("error", onError).on("aborted", onError)
    return Effect.sync(stop)
  })

/** How deep a body of rows may nest: each row is measured by itself, so that one that is too deep harms no neighbour. */
export const ROWS_NESTING = 10 * JsonText.MAX_NESTING

/** The body of the current request as it came: 413 when it is larger than `limit`, 503 when it does not fit, 408 when it stands still. */
export const bytes = (limit: number): Effect.Effect<Buffer, Refused, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const incoming = NodeHttpServerRequest.toIncomingMessage(request)
    const declared = Number(request.headers["content-length"] ?? "0")
    if (declared > limit) {
      incoming.resume()
      return yield* tooLarge(limit)
    }
    return yield* readBytes(incoming, limit, yield* Intake.Share)
  })

/** The refusal of a text that is not JSON to be trusted. */
export const untrusted = (error: JsonText.JsonTextError): Refused => new Refused({ status: 400, detail: error.message })

/** The body of the current request as JSON: 413 when it is larger than `limit`, 400 when it is not JSON to be trusted. */
export const json = (
  limit: number,
  nesting = JsonText.MAX_NESTING,
): Effect.Effect<unknown, Refused, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(bytes(limit), (body) => Effect.mapError(JsonText.parse(body, nesting), untrusted))
