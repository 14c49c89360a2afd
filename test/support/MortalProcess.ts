import * as nodePath from "node:path"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as EventLogNdjson from "../../layers/EventLogNdjson.js"
import * as TelemetryHttp from "../../layers/TelemetryHttp.js"
import { EventLog, type EventLogError, type EventLogService } from "../../services/EventLog.js"
import { Telemetry, type TelemetryService } from "../../services/Telemetry.js"
import type { ChainedEvent, Event } from "../../src/domain/Event.js"
import { runIn } from "./PlainRun.js"

/** A process that records a run, as far as its log and its shipper go. */
export interface MortalProcess {
  /** Appends, then hands on, as the recorder does. */
  readonly record: (event: Event) => Effect.Effect<ChainedEvent, EventLogError>
  readonly telemetry: TelemetryService
  readonly deadLetters: EventLogService["deadLetters"]
  /** Cursor writes that are under way. */
  readonly busy: () => number
  /** Ends as a program does: every scope is closed. */
  readonly leave: Effect.Effect<void>
  /** Ends without a word: nothing of it goes on, and no finalizer runs. */
  readonly kill: Effect.Effect<void>
  /** Gives the descriptor and the fibers of a killed process back, which its operating system would have done. */
  readonly bury: Effect.Effect<void>
}

/** Everything that a dead process still asks for never comes back, until it is buried. */
const mortal = () => {
  const grave = Deferred.unsafeMake<never>(FiberId.none)
  let isDead = false
  let busy = 0
  const alive = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() =>
      isDead
        ? Deferred.await(grave)
        : Effect.flatMap(Effect.exit(effect), (exit) => (isDead ? Deferred.await(grave) : exit)),
    )
  const counted = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      busy += 1
      return Effect.ensuring(
        effect,
        Effect.sync(() => (busy -= 1)),
      )
    })
  const log = (real: EventLogService): EventLogService => ({
    append: (event) => alive(real.append(event)),
    read: (from, maxBytes) => alive(real.read(from, maxBytes)),
    head: alive(real.head),
    acknowledged: alive(real.acknowledged),
    acknowledge: (position) => alive(counted(real.acknowledge(position))),
    setAside: (letters) => alive(real.setAside(letters)),
    deadLetters: alive(real.deadLetters),
    verify: alive(real.verify),
  })
  const http = (real: HttpClient.HttpClient): HttpClient.HttpClient => HttpClient.transform(real, alive)
  const die = Effect.sync(() => {
    isDead = true
  })
  return { log, http, busy: () => busy, die, decay: Deferred.interrupt(grave) }
}

/** Starts a process over a run's folder: the real log, the real shipper, and a client of the reader's choice. */
export const start = (directory: string, client: HttpClient.HttpClient): Effect.Effect<MortalProcess, EventLogError> =>
  Effect.gen(function* () {
    const { log: mortalLog, http, busy, die, decay } = mortal()
    const logScope = yield* Scope.make()
    const shipperScope = yield* Scope.make()
    const run = runIn(directory, nodePath.basename(directory))
    const built = yield* Layer.buildWithScope(
      Layer.provide(EventLogNdjson.layer({ durability: "process" }), run),
      logScope,
    )
    const log = mortalLog(Context.get(built, EventLog))
    const shipping = yield* Layer.buildWithScope(
      TelemetryHttp.layer({ endpoint: "http://127.0.0.1:9", token: Option.none() }).pipe(
        Layer.provide([run, Layer.succeed(EventLog, log), Layer.succeed(HttpClient.HttpClient, http(client))]),
      ),
      shipperScope,
    )
    const telemetry = Context.get(shipping, Telemetry)
    const closeLog = Scope.close(logScope, Exit.void)
    return {
      record: (event) => Effect.tap(log.append(event), telemetry.record),
      telemetry,
      deadLetters: log.deadLetters,
      busy,
      leave: Effect.zipRight(Scope.close(shipperScope, Exit.void), closeLog),
      kill: die,
      bury: Effect.zipRight(decay, closeLog),
    }
  })
