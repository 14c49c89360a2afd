import * as path from "node:path"
import * as Appending from "../support/Appending.js"
import * as FaultProxy from "../support/FaultProxy.js"
import { inFolder, type Stage, say } from "./DeliveryStage.js"
import * as LedgerServer from "./LedgerServer.js"
import type { Verdicts } from "./Report.js"

const RUN_ID = "run-outage"
const FLUSH_MILLIS = 1000
const MOST_FLUSHES = 1800

const mebibytes = (bytes: number): number => bytes / 1024 ** 2
const showMebibytes = (value: number): string => `${value.toFixed(1)} MiB`
const perSecond = (value: number): string => `${value.toFixed(0)} events/s`

/** Flushes again and again until nothing is undelivered; the highest memory on the way. */
const drain = async (client: Appending.Appending): Promise<{ readonly millis: number; readonly peakRss: number }> => {
  const since = performance.now()
  let peakRss = 0
  for (let flush = 0; flush < MOST_FLUSHES; flush++) {
    const done = await client.tell({ do: "flush", millis: FLUSH_MILLIS })
    peakRss = Math.max(peakRss, done.peakRss)
    if (done.delivery.undelivered === 0) return { millis: performance.now() - since, peakRss }
  }
  throw new Error("the backlog was never delivered")
}

const measure = async (stage: Stage, verdicts: Verdicts, folder: string): Promise<void> => {
  const [warm, outage] = stage.quick ? [20_000, 50_000] : [100_000, 1_000_000]
  const server = await LedgerServer.start(stage.bin, folder)
  const proxy = await FaultProxy.open(server.url)
  const client = await Appending.start(stage.programs.appending, {
    ...Appending.defaults,
    runsDir: path.join(folder, "runs"),
    runId: RUN_ID,
    endpoint: proxy.url,
    events: "calls",
    size: 0,
  })
  try {
    const warmed = await client.tell({ do: "record", events: warm })
    const settled = await drain(client)
    const baseline = (await client.tell({ do: "flush", millis: FLUSH_MILLIS })).rss
    say(
      `warm: ${warm} events with the server up, memory ${showMebibytes(mebibytes(baseline))} afterwards (peak ${showMebibytes(mebibytes(Math.max(warmed.peakRss, settled.peakRss)))})`,
    )

    await proxy.set({ kind: "refuse" })
    const away = await client.tell({ do: "record", events: outage })
    say(
      `server away: ${outage} events recorded in ${(away.millis / 1000).toFixed(1)} s, ${away.delivery.undelivered} undelivered, memory at most ${showMebibytes(mebibytes(away.peakRss))}`,
    )
    verdicts.same(`server away: every event is undelivered and none dropped`, away.delivery.undelivered === outage)
    verdicts.bound(`server away: growth of memory`, mebibytes(away.peakRss - baseline), 64, showMebibytes)

    await proxy.set({ kind: "pass" })
    const back = await drain(client)
    const { events, rows } = await server.counts(RUN_ID)
    say(
      `server back: drained in ${(back.millis / 1000).toFixed(1)} s, memory at most ${showMebibytes(mebibytes(back.peakRss))}`,
    )
    verdicts.bound(
      `outage and drain: growth of memory`,
      mebibytes(Math.max(away.peakRss, back.peakRss) - baseline),
      64,
      showMebibytes,
    )
    verdicts.same(`server back: it has all ${warm + outage} events (${events})`, events === warm + outage)
    verdicts.same(
      `server back: it has all rows of them (${rows})`,
      rows === (warm + outage) / 2 + 1 || rows === (warm + outage) / 2,
    )
    verdicts.least(`server back: drain`, outage / (back.millis / 1000), 10_000, perSecond)
    verdicts.bound("connections at once", proxy.counters().mostAtOnce, 2, String)
  } finally {
    client.child.kill("SIGKILL")
    await client.ended
    await proxy.close()
    await server.stop()
  }
}

/** The server is away while a client records a million events, and comes back. */
export const run = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder((folder) => measure(stage, verdicts, folder))
