import * as path from "node:path"
import * as Appending from "../support/Appending.js"
import { inFolder, pause, type Stage, say } from "./DeliveryStage.js"
import * as LedgerServer from "./LedgerServer.js"
import type { Verdicts } from "./Report.js"

const RUN_ID = "run-outage"
const FLUSH_MILLIS = 200
const CIRCUIT_POLL_MILLIS = 20
const MOST_FLUSHES = 20_000

const mebibytes = (bytes: number): number => bytes / 1024 ** 2
const showMebibytes = (value: number): string => `${value.toFixed(1)} MiB`
const perSecond = (value: number): string => `${value.toFixed(0)} events/s`

/**
 * Flushes again and again until nothing is undelivered; the highest memory on the way. The client finds out by itself that the
 * server is back, after a pause of its circuit; the clock runs from the first events that it takes.
 */
const drain = async (
  client: Appending.Appending,
  backlog: number,
): Promise<{ readonly millis: number; readonly events: number; readonly peakRss: number }> => {
  let first: { readonly at: number; readonly left: number } | undefined
  let peakRss = 0
  for (let flush = 0; flush < MOST_FLUSHES; flush++) {
    const { delivery, peakRss: peak } = await client.tell({ do: "flush", millis: FLUSH_MILLIS })
    peakRss = Math.max(peakRss, peak)
    if (first === undefined && delivery.undelivered < backlog)
      first = { at: performance.now(), left: delivery.undelivered }
    if (delivery.undelivered === 0)
      return { millis: performance.now() - (first?.at ?? 0), events: first?.left ?? 0, peakRss }
    if (delivery.circuit !== "closed") await pause(CIRCUIT_POLL_MILLIS)
  }
  throw new Error("the backlog was never delivered")
}

const measure = async (stage: Stage, verdicts: Verdicts, folder: string): Promise<void> => {
  const [warm, outage] = stage.quick ? [20_000, 50_000] : [100_000, 1_000_000]
  let server = await LedgerServer.start(stage.bin, folder)
  const client = await Appending.start(stage.programs.appending, {
    ...Appending.defaults,
    runsDir: path.join(folder, "runs"),
    runId: RUN_ID,
    endpoint: server.url,
    events: "calls",
    size: 0,
  })
  try {
    const warmed = await client.tell({ do: "record", events: warm })
    const settled = await drain(client, warm)
    const baseline = (await client.tell({ do: "flush", millis: FLUSH_MILLIS })).rss
    say(
      `warm: ${warm} events with the server up, memory ${showMebibytes(mebibytes(baseline))} afterwards (peak ${showMebibytes(mebibytes(Math.max(warmed.peakRss, settled.peakRss)))})`,
    )

    await server.stop()
    const away = await client.tell({ do: "record", events: outage })
    say(
      `server away: ${outage} events recorded in ${(away.millis / 1000).toFixed(1)} s, ${away.delivery.undelivered} undelivered, memory at most ${showMebibytes(mebibytes(away.peakRss))}`,
    )
    verdicts.same(`server away: every event is undelivered and none dropped`, away.delivery.undelivered === outage)
    verdicts.bound(`server away: growth of memory`, mebibytes(away.peakRss - baseline), 64, showMebibytes)

    server = await LedgerServer.start(stage.bin, folder, Number(new URL(server.url).port))
    const back = await drain(client, outage)
    const { events, rows } = await server.counts(RUN_ID)
    say(
      `server back: ${back.events} events drained in ${(back.millis / 1000).toFixed(1)} s, memory at most ${showMebibytes(mebibytes(back.peakRss))}`,
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
    verdicts.least(`server back: drain`, back.events / (back.millis / 1000), 10_000, perSecond)
  } finally {
    client.child.kill("SIGKILL")
    await client.ended
    await server.stop()
  }
}

/** The server is away while a client records a million events, and comes back. */
export const run = (stage: Stage, verdicts: Verdicts): Promise<void> =>
  inFolder((folder) => measure(stage, verdicts, folder))
