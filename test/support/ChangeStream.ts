import { type IncomingMessage, request } from "node:http"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"

/** One block of a stream: an event, or only an id, or a comment. */
export interface Block {
  readonly id: string | undefined
  readonly event: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: events are looked into member by member, and a wrong shape fails the test
  readonly data: any
  readonly text: string
}

const fieldOf = (text: string, name: string): string | undefined =>
  text
    .split("\n")
    .find((line) => line.startsWith(`${name}: `))
    ?.slice(name.length + 2)

const blockOf = (text: string): Block => {
  const data = fieldOf(text, "data")
  return {
    id: fieldOf(text, "id"),
    event: fieldOf(text, "event"),
    data: data === undefined ? undefined : JSON.parse(data),
    text,
  }
}

const ENDED: Block = { id: undefined, event: "ended", data: undefined, text: "" }

const feed = (incoming: IncomingMessage, blocks: Queue.Queue<Block>): void => {
  let rest = ""
  incoming.setEncoding("utf8")
  incoming.on("data", (part: string) => {
    const texts = (rest + part).split("\n\n")
    rest = texts.pop() ?? ""
    for (const text of texts) blocks.unsafeOffer(blockOf(text))
  })
  incoming.on("close", () => blocks.unsafeOffer(ENDED))
  incoming.on("error", () => {})
}

/** A stream of changes over a connection of its own, until the scope closes. `next` waits for the next block, for a while. */
export const open = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const blocks = yield* Queue.unbounded<Block>()
    const incoming = yield* Effect.acquireRelease(
      Effect.async<IncomingMessage, Error>((resume) => {
        request(url, { headers, agent: false }, (found) => resume(Effect.succeed(found)))
          .on("error", (error) => resume(Effect.fail(error)))
          .end()
      }),
      (found) => Effect.sync(() => found.destroy()),
    )
    feed(incoming, blocks)
    const next = Queue.take(blocks).pipe(Effect.timeout("30 seconds"))
    return {
      status: incoming.statusCode ?? 0,
      headers: incoming.headers,
      next,
      /** The next event, past ids and comments. */
      event: next.pipe(Effect.repeat({ until: (block) => block.event !== undefined })),
      /** Reads nothing more. */
      stall: Effect.sync(() => incoming.pause()),
    }
  })
