import { Worker } from "node:worker_threads"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { Program } from "./RunStoreSqlReaderSource.js"
import type { Kind, Read, Reads } from "./RunStoreSqlReads.js"

/** A read as it goes to the thread. */
export interface Asked {
  readonly id: number
  readonly read: Read
}

/** What the thread says to it. */
export type Told =
  | { readonly id: number; readonly got: Reads[Kind]["gets"] }
  | { readonly id: number; readonly failed: string; readonly isTooLarge?: boolean }

/** What the thread is started with: one 32-bit number in shared memory names the read that nobody waits for any more. */
export interface Start {
  readonly path: string
  readonly takenBack: SharedArrayBuffer
}

/**
 * A read that could not be done: the database failed it, or its thread died; by its reason the answer would be too large for
 * good, or too many reads wait already.
 */
export class ReaderError extends Data.TaggedError("ReaderError")<{
  readonly message: string
  readonly reason?: "too large" | "busy" | undefined
}> {}

export interface Job {
  readonly read: Read
  readonly end: (outcome: Effect.Effect<Reads[Kind]["gets"], ReaderError>) => void
}

export const failed = (message: string, reason?: ReaderError["reason"]) =>
  Effect.fail(new ReaderError({ message, reason }))

export interface Options {
  readonly path: string
  readonly program: () => Promise<Program>
  /** Memory of the thread's own: a read that needs more ends the thread, and not the process. */
  readonly memoryMib: number
  /** Called when it can take a read again. */
  readonly onFree: () => void
  /** Called when it cannot be started, or died before its first answer: another start would end the same. */
  readonly onUseless: (message: string) => void
}

const MOST_ID = 2 ** 31 - 1

/**
 * A thread that reads, one read at a time. It starts with its first read; when it dies the read in hand fails and the next one
 * starts it anew.
 */
export class ReaderThread {
  private readonly options: Options
  private readonly takenBack = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  private worker: Worker | undefined
  private inHand: { readonly id: number; readonly job: Job } | undefined
  private isStarting = false
  private isStopped = false
  private hasAnswered = false
  private asked = 0

  constructor(options: Options) {
    this.options = options
  }

  get isFree(): boolean {
    return this.inHand === undefined && !this.isStarting && !this.isStopped
  }

  get isRunning(): boolean {
    return this.worker !== undefined
  }

  /** Begins a read; only when it is free. */
  begin(job: Job): void {
    this.asked = (this.asked % MOST_ID) + 1
    this.inHand = { id: this.asked, job }
    if (this.worker === undefined) this.start()
    else this.post(this.worker)
  }

  /** Ends a read that nobody waits for any more, if it is the one in hand: it stays in hand until the thread has let go of it. */
  takeBack(job: Job): void {
    if (this.inHand?.job !== job) return
    if (this.isStarting) this.inHand = undefined
    else Atomics.store(this.takenBack, 0, this.inHand.id)
  }

  async stop(message: string): Promise<void> {
    this.isStopped = true
    const { worker } = this
    this.worker = undefined
    if (this.inHand !== undefined) Atomics.store(this.takenBack, 0, this.inHand.id)
    this.endJob(failed(message))
    await worker?.terminate()
  }

  private start(): void {
    this.isStarting = true
    this.options.program().then(
      (found) => {
        this.isStarting = false
        if (this.isStopped) return
        const worker = this.run(found)
        if (this.inHand === undefined) this.options.onFree()
        else this.post(worker)
      },
      (cause) => {
        this.isStarting = false
        this.giveUp(`the thread that reads cannot be started: ${cause}`)
      },
    )
  }

  private run({ from, eval: isText }: Program): Worker {
    const { path, memoryMib } = this.options
    const worker = new Worker(from, {
      eval: isText,
      name: "runledger-reader",
      workerData: { path, takenBack: this.takenBack.buffer as SharedArrayBuffer } satisfies Start,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: memoryMib },
    })
    this.worker = worker
    this.hasAnswered = false
    worker.unref()
    worker.on("message", (told: Told) => this.hear(told))
    worker.on("error", (cause) => this.lose(worker, String(cause)))
    worker.on("exit", (code) => this.lose(worker, `exit ${code}`))
    return worker
  }

  private post(worker: Worker): void {
    if (this.inHand === undefined) return
    const { id, job } = this.inHand
    worker.ref()
    worker.postMessage({ id, read: job.read } satisfies Asked)
  }

  private hear(told: Told): void {
    this.hasAnswered = true
    this.worker?.unref()
    this.endJob(
      "got" in told
        ? Effect.succeed(told.got)
        : failed(told.failed, told.isTooLarge === true ? "too large" : undefined),
    )
    this.options.onFree()
  }

  private lose(worker: Worker, reason: string): void {
    if (this.worker !== worker) return
    this.worker = undefined
    const message = `the thread that reads died: ${reason}`
    if (!this.hasAnswered) this.giveUp(message)
    else {
      this.endJob(failed(message))
      this.options.onFree()
    }
  }

  private giveUp(message: string): void {
    this.endJob(failed(message))
    this.options.onUseless(message)
  }

  private endJob(outcome: Effect.Effect<Reads[Kind]["gets"], ReaderError>): void {
    const { inHand } = this
    this.inHand = undefined
    inHand?.job.end(outcome)
  }
}
