import type { IncomingMessage, ServerResponse } from "node:http"
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type { RunStoreError, RunStoreService } from "../../services/RunStore.js"
import type { AccessLog } from "./AccessLog.js"
import * as Answer from "./Answer.js"
import type { Invalid, Refused } from "./ApiErrors.js"
import type { Judge } from "./Guard.js"
import * as Intake from "./Intake.js"
import * as Problems from "./Problems.js"
import * as RequestBody from "./RequestBody.js"
import * as RunWrites from "./RunWrites.js"
import { SAFE_HEADERS } from "./SecurityHeaders.js"
import { hidden } from "./StoreErrors.js"
import type { Write } from "./Write.js"

/** What the writes that go past the router share with all other requests. */
export interface Desk {
  readonly store: RunStoreService
  readonly judge: Judge
  readonly intake: Intake.Intake
  readonly log: AccessLog
  readonly clock: Clock.Clock
  readonly runtime: Runtime.Runtime<never>
  /** What an answer bears last, whoever makes it. */
  readonly parting: (status: number, headers: Readonly<Record<string, string>>) => Readonly<Record<string, string>>
}

type Failure = Invalid | Refused | RunStoreError

const STOPPING = Answer.problem(503, "The server is stopping. Send it again once it is back.")

/** What the router would make of the failures that these endpoints name. */
const failed = (cause: Cause.Cause<Failure>, request: { readonly method: string; readonly url: string }) =>
  hidden(Effect.failCause(cause)).pipe(
    Effect.catchTags({
      Refused: ({ status, detail }) => Effect.succeed(Answer.problem(status, detail)),
      Invalid: ({ detail }) => Effect.succeed(Answer.problem(422, detail)),
    }),
    Effect.catchAllCause((unknown) =>
      Cause.isInterruptedOnly(unknown) ? Effect.succeed(STOPPING) : Problems.unforeseen(request, unknown),
    ),
  )

/** One request on its way: what it holds is given back once, when it is answered or when its client leaves. */
class Passage {
  private readonly desk: Desk
  private readonly write: Write
  private readonly incoming: IncomingMessage
  private readonly outgoing: ServerResponse
  private readonly id: string
  private readonly begun: bigint
  private headers: Readonly<Record<string, string>> = {}
  private place: Intake.Place | undefined
  private stopReading: (() => void) | undefined
  private fiber: Fiber.RuntimeFiber<Answer.Answer, Failure> | undefined
  private sent: { readonly status: number; readonly bytes: number } | undefined
  private isOver = false

  constructor(desk: Desk, write: Write, incoming: IncomingMessage, outgoing: ServerResponse) {
    this.desk = desk
    this.write = write
    this.incoming = incoming
    this.outgoing = outgoing
    this.id = desk.log.idOf(incoming)
    this.begun = desk.log.line === undefined ? 0n : desk.clock.unsafeCurrentTimeNanos()
  }

  begin(): void {
    const { desk, incoming, outgoing, write } = this
    outgoing.once("close", () => this.close())
    const { refusal, headers } = desk.judge(incoming, () => desk.clock.unsafeCurrentTimeMillis())
    this.headers = headers
    const place = refusal === undefined ? desk.intake.enter() : undefined
    if (refusal !== undefined) this.send(refusal)
    else if (place === undefined) {
      incoming.resume()
      this.send(Intake.refusal)
    } else {
      this.place = place
      this.stopReading = RequestBody.gather(incoming, write.limit, place, (body) =>
        Either.isLeft(body) ? this.fail(Cause.fail(body.left)) : this.run(body.right),
      )
    }
  }

  private get request(): { readonly method: string; readonly url: string } {
    return { method: this.incoming.method ?? "", url: this.incoming.url ?? "" }
  }

  private run(body: Buffer): void {
    const prefer = this.incoming.headers["prefer"]
    const handled = Effect.suspend(() => this.write.handle(body, Array.isArray(prefer) ? prefer.join(", ") : prefer))
    this.fiber = Runtime.runFork(this.desk.runtime)(handled)
    this.fiber.addObserver((exit) => (Exit.isSuccess(exit) ? this.answer(exit.value) : this.fail(exit.cause)))
  }

  private fail(cause: Cause.Cause<Failure>): void {
    if (this.isOver) return
    const told = Effect.annotateLogs(failed(cause, this.request), "request_id", this.id)
    Runtime.runCallback(this.desk.runtime)(told, {
      onExit: (exit) => this.answer(Exit.getOrElse(exit, () => STOPPING)),
    })
  }

  private answer(answer: Answer.Answer): void {
    const { place } = this
    if (this.isOver || place === undefined) return
    const headers = place.headersOf(answer.status)
    this.giveBack()
    this.send({ ...answer, headers: { ...answer.headers, ...headers } })
  }

  private send({ status, headers, json = "" }: Answer.Answer): void {
    const bytes = Buffer.byteLength(json)
    this.sent = { status, bytes }
    const told = { ...SAFE_HEADERS, ...headers, ...this.headers, "x-request-id": this.id }
    this.outgoing.writeHead(status, {
      ...this.desk.parting(status, told),
      ...(json === "" ? {} : { "content-type": "application/json", "content-length": bytes }),
    })
    this.outgoing.end(json)
  }

  private giveBack(): void {
    this.place?.leave()
    this.place = undefined
  }

  /** The answer is out, or nobody is there to take it. */
  private close(): void {
    this.isOver = true
    this.giveBack()
    if (this.sent === undefined) {
      this.stopReading?.()
      this.fiber?.unsafeInterruptAsFork(FiberId.none)
    }
    const { clock, log, runtime } = this.desk
    if (log.line === undefined) return
    const nanos = clock.unsafeCurrentTimeNanos() - this.begun
    const { id, request, sent } = this
    Runtime.runFork(runtime)(log.line({ request, id, status: sent?.status, bytes: sent?.bytes ?? 0, nanos }))
  }
}

/**
 * The three writes that clients send without a pause, past the router and the platform, which take longer than they do. They
 * have the handlers of the API's endpoints, its guard, its limits and its answers; every other request, and an address that is not to the
 * letter one of theirs, is left to the router: false.
 */
export const make = (desk: Desk): ((incoming: IncomingMessage, outgoing: ServerResponse) => boolean) => {
  const { run, runs, operations } = RunWrites.make(desk.store)
  const writes = new Map([
    ["/api/v1/runs", run],
    ["/api/v1/runs/batch", runs],
    ["/api/v1/ops", operations],
  ])
  return (incoming, outgoing) => {
    const write = incoming.method === "POST" ? writes.get(incoming.url ?? "") : undefined
    if (write === undefined) return false
    new Passage(desk, write, incoming, outgoing).begin()
    return true
  }
}
