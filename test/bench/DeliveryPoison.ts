import * as path from "node:path"
import * as Appending from "../support/Appending.js"
import * as FaultProxy from "../support/FaultProxy.js"
import { inFolder, linesOf, type Stage, say } from "./DeliveryStage.js"
import * as LedgerServer from "./LedgerServer.js"
import { milliseconds, type Verdicts } from "./Report.js"

const EVENTS = 1000
const RUN_ID = "run-poison"

const deliver = (stage: Stage, poison: Appending.Options["poison"]) =>
  inFolder(async (folder) => {
    const server = await LedgerServer.start(stage.bin, folder)
    const proxy = await FaultProxy.open(server.url)
    const runsDir = path.join(folder, "runs")
    const client = await Appending.start(stage.programs.appending, {
      ...Appending.defaults,
      runsDir,
      runId: RUN_ID,
      endpoint: proxy.url,
      size: 0,
      events: "calls",
      poison,
    })
    try {
      await client.tell({ do: "record", events: EVENTS })
      const { millis, delivery } = await client.tell({ do: "flush", millis: 60_000 })
      const letters = linesOf(path.join(runsDir, RUN_ID, "telemetry.dead-letters.ndjson"))
      const { events, rows } = await server.counts(RUN_ID)
      return { millis, delivery, letters, events, rows, requests: proxy.counters().requests }
    } finally {
      client.child.kill("SIGKILL")
      await client.ended
      await proxy.close()
      await server.stop()
    }
  })

const reasonOf = (letter: string | undefined): string => (letter === undefined ? "none" : JSON.parse(letter).reason)

type Delivered = Awaited<ReturnType<typeof deliver>>

const judge = (verdicts: Verdicts, what: string, clean: Delivered, poisoned: Delivered, missing: number): void => {
  say(
    `${what}: ${poisoned.events} events in ${poisoned.requests} requests and ${milliseconds(poisoned.millis)}; refused: ${reasonOf(poisoned.letters[0])}`,
  )
  verdicts.same(`${what}: ${EVENTS - missing} of ${EVENTS} events are there`, poisoned.events === EVENTS - missing)
  verdicts.same(`${what}: 1 dead letter (${poisoned.letters.length})`, poisoned.letters.length === 1)
  verdicts.same(`${what}: every other row is there`, poisoned.rows >= clean.rows - 1)
  verdicts.same(`${what}: nothing is left undelivered`, poisoned.delivery.undelivered === 0)
  verdicts.same(
    `${what}: no attempt counts as failed, so no back-off was waited`,
    poisoned.delivery.failedAttempts === 0 && poisoned.delivery.lastError === null,
  )
  verdicts.bound(`${what}: requests more than without`, poisoned.requests - clean.requests, MOST_REQUESTS, String)
}

/** Halving 2000 operations until one stands alone takes eleven steps of two requests. */
const MOST_REQUESTS = 22

/** One operation in a thousand is refused for good: with its request, and by itself. */
export const run = async (stage: Stage, verdicts: Verdicts): Promise<void> => {
  const clean = await deliver(stage, null)
  say(`nothing refused: ${clean.events} events in ${clean.requests} requests and ${milliseconds(clean.millis)}`)
  verdicts.same(`nothing refused: all ${EVENTS} events are there`, clean.events === EVENTS)
  const at = EVENTS / 2
  const large = await deliver(stage, { at: at + 1, how: "too large" })
  judge(verdicts, `1 in ${EVENTS} too large for a request`, clean, large, 1)
  judge(
    verdicts,
    `1 in ${EVENTS} with a row that cannot be taken`,
    clean,
    await deliver(stage, { at, how: "misdated" }),
    0,
  )
}
