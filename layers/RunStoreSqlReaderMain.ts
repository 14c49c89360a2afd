import { parentPort, workerData } from "node:worker_threads"
import * as Database from "./RunStoreSqlDatabase.js"
import { TooLarge } from "./RunStoreSqlPageBytes.js"
import type { Asked, Start, Told } from "./RunStoreSqlReaderThread.js"
import * as Reads from "./RunStoreSqlReads.js"

// A thread that reads: one connection, one question at a time, until it is ended.

const CACHE_KIB = 16 * 1024

const { path, takenBack }: Start = workerData
const nobodyWaitsFor = new Int32Array(takenBack)
let inHand = 0

const database = Database.open(path, CACHE_KIB, () => Atomics.load(nobodyWaitsFor, 0) !== inHand)

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const answered = ({ id, read }: Asked): Told => {
  inHand = id
  try {
    database.checkWanted()
    return { id, got: Reads.answer(database, read.kind, read.asks) }
  } catch (cause) {
    return { id, failed: reasonOf(cause), ...(cause instanceof TooLarge ? { isTooLarge: true } : {}) }
  }
}

parentPort?.on("message", (asked: Asked) => {
  const told = answered(asked)
  parentPort?.postMessage(told, "got" in told ? [...Reads.transferred(told.got)] : [])
})
