/** Fields of a row as they were sent. */
export type Content = Readonly<Record<string, unknown>>

export type Kind = "post" | "batch" | "ops" | "patch"

/** One write and what became of it. */
export interface Request {
  readonly kind: Kind
  readonly runId: string
  /** What each row is once the write is done. */
  readonly rows: ReadonlyMap<string, Content>
  readonly events: ReadonlyArray<string>
  /** `flying`: nobody knows. */
  state: "flying" | "acknowledged" | "refused"
}

interface Known {
  readonly eventId: string
  readonly content: Content
}

/** What is wrong with a server's rows. */
export interface Findings {
  readonly lost: number
  readonly duplicated: number
  /** Rows that are there with other content than was acknowledged. */
  readonly changed: number
  /** Writes that nobody acknowledged and that are there in part. */
  readonly torn: number
  readonly rows: number
}

const isTrue = (status: number): boolean => status >= 200 && status < 300

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What is not there is an empty list. */
const asked = async (url: string): Promise<unknown> => {
  const response = await fetch(url)
  if (response.status === 404) return []
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response.json()
}

const objectsIn = (value: unknown): ReadonlyArray<Readonly<Record<string, unknown>>> =>
  Array.isArray(value) ? value.filter(isObject) : []

const rowsOf = async (url: string, runId: string) =>
  objectsIn(await asked(`${url}/api/v1/runs?run_id=${encodeURIComponent(runId)}`))

const eventsOf = async (url: string, runId: string): Promise<ReadonlyArray<string>> => {
  const ids: Array<string> = []
  for (;;) {
    const last = ids.at(-1)
    const after = last === undefined ? "" : `&after=${encodeURIComponent(last)}`
    const page = objectsIn(await asked(`${url}/api/v1/runs/${encodeURIComponent(runId)}/events?limit=1000${after}`))
    ids.push(...page.map((event) => String(event["event_id"])))
    if (page.length === 0) return ids
  }
}

const bears = (row: Readonly<Record<string, unknown>>, content: Content): boolean =>
  Object.entries(content).every(([name, value]) => JSON.stringify(row[name]) === JSON.stringify(value))

/** Whether the answer says that all of a write was done. */
const isDone = (request: Request, text: string): boolean => {
  const answer: unknown = JSON.parse(text)
  if (!isObject(answer)) return false
  if (request.kind === "post") return answer["status"] === "created"
  if (request.kind === "batch") return answer["inserted"] === request.rows.size
  if (request.kind === "patch") return answer["updated"] === true
  const results = objectsIn(answer["results"])
  const done = ["created", "updated", "stored"]
  return results.length === 2 * request.rows.size + 1 && results.every((one) => done.includes(String(one["status"])))
}

/** What clients sent and what they were told of it, and whether a server has it. */
export class WriteLedger {
  readonly #requests: Array<Request> = []
  readonly #known = new Map<string, Array<Known>>()
  readonly #contents = new Map<string, Content>()
  acknowledged = 0
  /** Answers 503 without a Retry-After. */
  rude = 0
  /** Answers 503. */
  turnedAway = 0
  /** Answers that no load may get, each once. */
  readonly strange = new Set<string>()

  asked(kind: Kind, runId: string, rows: ReadonlyMap<string, Content>, events: ReadonlyArray<string> = []): Request {
    const request: Request = { kind, runId, rows, events, state: "flying" }
    this.#requests.push(request)
    return request
  }

  answered(request: Request, status: number, text: string, retryAfter: string | undefined): void {
    if (isTrue(status)) {
      request.state = "acknowledged"
      this.acknowledged += 1
      if (!isDone(request, text)) this.strange.add(`${request.kind} ${status}: ${text.slice(0, 200)}`)
      for (const [eventId, content] of request.rows) this.#settle(request.runId, eventId, content)
      return
    }
    // What was turned away may yet have been done: nobody said that it was not.
    if (status === 503) {
      this.turnedAway += 1
      if (retryAfter === undefined) this.rude += 1
      return
    }
    request.state = "refused"
    this.strange.add(`${request.kind} ${status}: ${text.slice(0, 200)}`)
  }

  /** Some row of a run that was acknowledged. */
  someKnown(runId: string, chance: number): Known | undefined {
    const all = this.#known.get(runId) ?? []
    const known = all[Math.floor(chance * all.length)]
    const content = known === undefined ? undefined : this.#contents.get(known.eventId)
    return known === undefined || content === undefined ? undefined : { ...known, content }
  }

  #settle(runId: string, eventId: string, content: Content): void {
    if (!this.#contents.has(eventId)) {
      const all = this.#known.get(runId)
      if (all === undefined) this.#known.set(runId, [{ eventId, content }])
      else all.push({ eventId, content })
    }
    this.#contents.set(eventId, content)
  }

  /** Compares with a server. What was in flight and is there whole counts as acknowledged from now on. */
  async compare(url: string): Promise<Findings> {
    const found = { lost: 0, duplicated: 0, changed: 0, torn: 0, rows: 0 }
    for (const runId of new Set(this.#requests.map((request) => request.runId))) {
      const rows = await rowsOf(url, runId)
      const requests = this.#requests.filter((request) => request.runId === runId)
      const events = await eventsOf(url, runId)
      const byId = new Map(rows.map((row) => [String(row["event_id"]), row]))
      found.rows += rows.length
      found.duplicated += rows.length - byId.size + events.length - new Set(events).size
      this.#settleFlying(requests, byId, new Set(events), found)
      this.#judge(requests, byId, new Set(events), found)
    }
    return found
  }

  #settleFlying(
    requests: ReadonlyArray<Request>,
    rows: ReadonlyMap<string, Readonly<Record<string, unknown>>>,
    events: ReadonlySet<string>,
    found: { torn: number },
  ): void {
    for (const request of requests) {
      if (request.state !== "flying") continue
      const there = Array.from(request.rows).filter(([eventId, content]) => {
        const row = rows.get(eventId)
        return row !== undefined && (request.kind !== "patch" || bears(row, content))
      })
      const logged = request.events.filter((eventId) => events.has(eventId))
      const whole = there.length === request.rows.size && logged.length === request.events.length
      if (whole) {
        request.state = "acknowledged"
        for (const [eventId, content] of request.rows) this.#settle(request.runId, eventId, content)
      } else {
        request.state = "refused"
        if (there.length + logged.length > 0) found.torn += 1
      }
    }
  }

  #judge(
    requests: ReadonlyArray<Request>,
    rows: ReadonlyMap<string, Readonly<Record<string, unknown>>>,
    events: ReadonlySet<string>,
    found: { lost: number; changed: number },
  ): void {
    const mine = new Set<string>()
    for (const request of requests.filter(({ state }) => state === "acknowledged")) {
      for (const eventId of request.rows.keys()) mine.add(eventId)
      found.lost += request.events.filter((eventId) => !events.has(eventId)).length
    }
    for (const eventId of mine) {
      const row = rows.get(eventId)
      const content = this.#contents.get(eventId)
      if (row === undefined) found.lost += 1
      else if (content !== undefined && !bears(row, content)) found.changed += 1
    }
  }
}
