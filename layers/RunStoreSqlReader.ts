import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Program, program } from "./RunStoreSqlReaderSource.js"
import { failed, type Job, type ReaderError, ReaderThread } from "./RunStoreSqlReaderThread.js"
import { isBrief, type Kind, type Read, type Reads } from "./RunStoreSqlReads.js"

export { ReaderError } from "./RunStoreSqlReaderThread.js"

/** Puts a read to a thread that reads. */
export interface Reader {
  readonly ask: <K extends Kind>(kind: K, asks: Reads[K]["asks"]) => Effect.Effect<Reads[K]["gets"], ReaderError>
}

export interface Options {
  /** What the threads run. */
  readonly program?: () => Promise<Program>
  /** Memory that a thread may take for itself. */
  readonly memoryMib?: number
}

const MEMORY_MIB = 1024

/** Reads of some seconds may be in hand at once so often; brief ones have a thread that never does anything else. */
const LONG_AT_ONCE = 2

/** Reads that wait in one lane: beyond them another one would be answered after its asker has left. */
const MOST_WAITING = 256

const CLOSED = "the store was closed"
const BUSY = `${MOST_WAITING} reads wait already: ask again later`

/** Reads that wait for one of some threads, in their order: what waits can still be taken back. */
class Lane {
  private readonly threads: ReadonlyArray<ReaderThread>
  private waiting: Array<Job> = []
  private isStopped = false

  constructor(threads: number, options: { readonly path: string } & Required<Options>) {
    this.threads = Array.from(
      { length: threads },
      () =>
        new ReaderThread({
          ...options,
          onFree: () => this.next(),
          onUseless: (message) => this.fail(message),
        }),
    )
  }

  put(job: Job): void {
    if (this.isStopped) job.end(failed(CLOSED))
    else if (this.waiting.length >= MOST_WAITING) job.end(failed(BUSY, "busy"))
    else {
      this.waiting.push(job)
      this.next()
    }
  }

  takeBack(job: Job): void {
    this.waiting = this.waiting.filter((other) => other !== job)
    for (const thread of this.threads) thread.takeBack(job)
  }

  async stop(): Promise<void> {
    this.isStopped = true
    this.fail(CLOSED)
    await Promise.all(this.threads.map((thread) => thread.stop(CLOSED)))
  }

  /** A thread that runs already is taken before another one is started. */
  private next(): void {
    const free = this.threads.filter((thread) => thread.isFree)
    const thread = free.find((one) => one.isRunning) ?? free[0]
    const job = thread === undefined ? undefined : this.waiting.shift()
    if (thread === undefined || job === undefined) return
    thread.begin(job)
    this.next()
  }

  private fail(message: string): void {
    const jobs = this.waiting
    this.waiting = []
    for (const job of jobs) job.end(failed(message))
  }
}

/**
 * Threads, each with a connection of its own, for reads that may take long, so that nothing else waits for them: one for what
 * ends soon whatever the store holds, and two for the rest. Reads of a lane take their turns; beyond some
 * hundreds that wait, another one fails at once. One that is interrupted while it
 * waits is never begun, and one that is in hand is ended. A thread that dies fails the read in hand and is started anew with the
 * next; one that died before its first answer takes all that wait along, lest it be started without end. They end with the scope.
 */
export const make = (path: string, options: Options = {}): Effect.Effect<Reader, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const all = { path, program, memoryMib: MEMORY_MIB, ...options }
      return { brief: new Lane(1, all), long: new Lane(LONG_AT_ONCE, all) }
    }),
    ({ brief, long }) => Effect.promise(() => Promise.all([brief.stop(), long.stop()])),
  ).pipe(
    Effect.map(({ brief, long }) => ({
      ask: <K extends Kind>(kind: K, asks: Reads[K]["asks"]) =>
        Effect.async<Reads[K]["gets"], ReaderError>((resume) => {
          const job: Job = {
            // The thread answers a read of a kind with what the table of reads says of this kind.
            read: { kind, asks } as Read,
            end: (outcome) => resume(outcome as Effect.Effect<Reads[K]["gets"], ReaderError>),
          }
          const lane = isBrief(job.read) ? brief : long
          lane.put(job)
          return Effect.sync(() => lane.takeBack(job))
        }),
    })),
  )
