import * as http from "node:http"
import { pause } from "./DeliveryStage.js"
import { type Content, type Request, WriteLedger } from "./WriteLedger.js"

export interface Options {
  readonly url: string
  readonly clients: number
  /** Names this load: its run ids and event ids begin with it. */
  readonly name: string
  /** Most rows of one batch, and half the operations of one request. */
  readonly mostRows: number
  /** Most characters of text in a row. */
  readonly mostText: number
}

/** Clients that write as fast as they are answered, until the server is gone or they are told to stop. */
export interface Load {
  readonly ledger: WriteLedger
  /** Lets what is in flight finish, and ends. */
  readonly stop: () => Promise<void>
  /** Settles when every client has ended. */
  readonly ended: Promise<void>
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly retryAfter: string | undefined
}

interface Sending {
  readonly request: Request
  readonly method: string
  readonly path: string
  readonly body: unknown
}

const LONGEST_WAIT = 250

const below = (bound: number): number => Math.floor(Math.random() * bound)

class Client {
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  readonly #options: Options
  readonly #ledger: WriteLedger
  readonly #index: number
  readonly #runId: string
  #serial = 0

  constructor(options: Options, ledger: WriteLedger, index: number) {
    this.#options = options
    this.#ledger = ledger
    this.#index = index
    this.#runId = `${options.name}-c${index}`
  }

  /** Ten digits that stand in exactly one request of one load. */
  #mark(): string {
    this.#serial += 1
    return `mark-${String(this.#index * 10_000_000 + this.#serial).padStart(10, "0")}.`
  }

  #row(): readonly [string, Content] {
    const name = this.#mark()
    const second = String(this.#serial % 60).padStart(2, "0")
    return [
      `${this.#runId}-${this.#serial}`,
      {
        run_id: this.#runId,
        agent_name: `agent-${this.#index}`,
        job_type: "llm_call",
        start_time: `2026-01-31T12:00:${second}.000Z`,
        status: "running",
        item_name: name,
        input_summary: "x".repeat(below(this.#options.mostText)),
        metrics_json: { input_tokens: this.#serial, output_tokens: below(1000), api_cost_usd: 0.001 },
        context_json: { model: `model-${below(5)}`, call_id: name },
      },
    ]
  }

  #rows(): ReadonlyMap<string, Content> {
    return new Map(Array.from({ length: 1 + below(this.#options.mostRows) }, () => this.#row()))
  }

  #post(): Sending {
    const [event_id, row] = this.#row()
    const request = this.#ledger.asked("post", this.#runId, new Map([[event_id, row]]))
    return { request, method: "POST", path: "/api/v1/runs", body: { event_id, ...row } }
  }

  #batch(): Sending {
    const rows = this.#rows()
    const request = this.#ledger.asked("batch", this.#runId, rows)
    const runs = Array.from(rows, ([event_id, row]) => ({ event_id, ...row }))
    return { request, method: "POST", path: "/api/v1/runs/batch", body: this.#serial % 2 === 0 ? runs : { runs } }
  }

  #event(): Readonly<Record<string, unknown>> {
    return {
      event_id: `${this.#runId}-e${this.#serial}`,
      run_id: this.#runId,
      ts: "2026-01-31T12:00:00.000Z",
      type: "ISSUE_OPENED",
      trace_id: "0af7651916cd43dd8448eb211c80319c",
      span_id: "00f067aa0ba902b7",
      payload: { issue_id: "i", kind: "load", message: this.#mark() },
    }
  }

  #ops(): Sending {
    const ended = new Map<string, Content>()
    const ops = Array.from(this.#rows()).flatMap(([event_id, row]) => {
      const end = { status: "success", output_summary: this.#mark(), duration_ms: below(60_000) }
      ended.set(event_id, { ...row, ...end })
      return [
        { op: "create", event_id, ...row },
        { op: "update", event_id, ...end },
      ]
    })
    const event = this.#event()
    const event_id = String(event["event_id"])
    const request = this.#ledger.asked("ops", this.#runId, ended, [event_id])
    return { request, method: "POST", path: "/api/v1/ops", body: { ops: [...ops, { op: "event", event_id, event }] } }
  }

  #patch(): Sending {
    const known = this.#ledger.someKnown(this.#runId, Math.random())
    if (known === undefined) return this.#post()
    const { eventId, content } = known
    const body = { output_summary: this.#mark(), items_succeeded: below(1000), status: "success" }
    const request = this.#ledger.asked("patch", this.#runId, new Map([[eventId, { ...content, ...body }]]))
    return { request, method: "PATCH", path: `/api/v1/runs/${eventId}`, body }
  }

  #next(): Sending {
    const chance = Math.random()
    if (chance < 0.4) return this.#post()
    if (chance < 0.55) return this.#batch()
    return chance < 0.75 ? this.#ops() : this.#patch()
  }

  /** The answer, or nothing when the connection broke before it was there. */
  #send({ method, path, body }: Sending): Promise<Answer | undefined> {
    const text = JSON.stringify(body)
    const headers = { "content-type": "application/json", "content-length": String(Buffer.byteLength(text)) }
    return new Promise((resolve) => {
      const sending = http.request(
        `${this.#options.url}${path}`,
        { method, agent: this.#agent, headers },
        (incoming) => {
          let received = ""
          incoming.setEncoding("utf8")
          incoming.on("data", (part: string) => {
            received += part
          })
          incoming.on("error", () => resolve(undefined))
          incoming.on("close", () =>
            resolve(
              incoming.complete
                ? { status: incoming.statusCode ?? 0, text: received, retryAfter: incoming.headers["retry-after"] }
                : undefined,
            ),
          )
        },
      )
      sending.on("error", () => resolve(undefined))
      sending.end(text)
    })
  }

  async run(isStopped: () => boolean): Promise<void> {
    while (!isStopped()) {
      const sending = this.#next()
      const answer = await this.#send(sending)
      if (answer === undefined) break
      this.#ledger.answered(sending.request, answer.status, answer.text, answer.retryAfter)
      if (answer.status === 503) await pause(below(LONGEST_WAIT))
    }
    this.#agent.destroy()
  }
}

/**
 * Starts the clients: single runs, batches, operations and changes by hand, each with a mark that no other write bears. A
 * client ends by itself when its connection breaks.
 */
export const start = (options: Options): Load => {
  const ledger = new WriteLedger()
  let stopped = false
  const clients = Array.from({ length: options.clients }, (_, index) => new Client(options, ledger, index))
  const ended = Promise.all(clients.map((client) => client.run(() => stopped))).then(() => undefined)
  return {
    ledger,
    ended,
    stop: () => {
      stopped = true
      return ended
    },
  }
}
