import type { IncomingMessage } from "node:http"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as JsonText from "../domain/JsonText.js"
import { Refused } from "./ApiErrors.js"
import type { Soundness } from "./Decoding.js"
import * as Intake from "./Intake.js"
import * as OperationsText from "./OperationsText.js"

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
 * Gathers the bytes of a body, at most `limit`, each part taken from the request's share as it comes, and tells once what came of
 * it; what is given back stops it. What comes after a refusal is read and thrown away, so that a client that is still sending gets to
 * read the answer instead of a reset connection.
 */
export const gather = (
  incoming: IncomingMessage,
  limit: number,
  share: Intake.ShareService,
  told: (body: Either.Either<Buffer, Refused>) => void,
): (() => void) => {
  const declared = Number(incoming.headers["content-length"] ?? "0")
  if (declared > limit) {
    incoming.resume()
    told(Either.left(tooLarge(limit)))
    return () => {}
  }
  const parts: Array<Buffer> = []
  let size = 0
  const onData = (part: Buffer): void => {
    silence.heard()
    size += part.byteLength
    if (size > limit) finish(Either.left(tooLarge(limit)))
    else if (!share.take(part.byteLength)) finish(Either.left(full))
    else parts.push(part)
  }
  const onEnd = (): void => {
    const [only] = parts
    finish(Either.right(parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)))
  }
  const onError = (): void => finish(Either.left(new Refused({ status: 400, detail: "The body was cut off." })))
  const silence = watch(share.stallMillis, () => finish(Either.left(stalled)))
  const stop = (): void => {
    silence.stop()
    incoming.off("data", onData).off("end", onEnd).off("error", onError).off("aborted", onError)
  }
  const finish = (body: Either.Either<Buffer, Refused>): void => {
    stop()
    incoming.on("error", () => {})
    incoming.resume()
    told(body)
  }
  incoming.on("data", onData).on("end", onEnd).on("error", onError).on("aborted", onError)
  return stop
}

/** How deep a body of rows may nest: each row is measured by itself, so that one that is too deep harms no neighbour. */
export const ROWS_NESTING = 10 * JsonText.MAX_NESTING

/** The body of the current request as it came: 413 when it is larger than `limit`, 503 when it does not fit, 408 when it stands still. */
export const bytes = (limit: number): Effect.Effect<Buffer, Refused, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const incoming = NodeHttpServerRequest.toIncomingMessage(yield* HttpServerRequest.HttpServerRequest)
    const share = yield* Intake.Share
    return yield* Effect.async<Buffer, Refused>((resume) => Effect.sync(gather(incoming, limit, share, resume)))
  })

/** The refusal of a text that is not JSON to be trusted. */
export const untrusted = (error: JsonText.JsonTextError): Refused => new Refused({ status: 400, detail: error.message })

/** A body that was parsed, and whether it is known to nest within bounds and to hold no number beyond a double. */
export interface Parsed {
  readonly content: unknown
  readonly soundness: Soundness
  readonly text: string
  readonly scan: OperationsText.Scan
}

/** Reads JSON that nobody vouches for: the bytes are looked over once for depth and numbers, then parsed once. */
export const parsed = (bytes: Buffer, nesting = JsonText.MAX_NESTING): Either.Either<Parsed, Refused> => {
  const scan = OperationsText.scan(bytes)
  if (scan.depth > nesting) return Either.left(untrusted(JsonText.tooDeep(nesting)))
  const text = JsonText.decodeUtf8(bytes)
  if (Either.isLeft(text)) return Either.left(untrusted(text.left))
  const content = JsonText.parseText(text.right)
  if (Either.isLeft(content)) return Either.left(untrusted(content.left))
  const soundness = scan.depth > JsonText.MAX_NESTING || scan.hasOddNumber ? "unknown" : "sound"
  return Either.right({ content: content.right, soundness, text: text.right, scan })
}

/** The body of the current request as JSON: 413 when it is larger than `limit`, 400 when it is not JSON to be trusted. */
export const json = (
  limit: number,
  nesting = JsonText.MAX_NESTING,
): Effect.Effect<unknown, Refused, HttpServerRequest.HttpServerRequest> =>
  Effect.flatMap(bytes(limit), (body) => Effect.mapError(JsonText.parse(body, nesting), untrusted))
