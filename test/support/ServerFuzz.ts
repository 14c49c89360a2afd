import * as FastCheck from "effect/FastCheck"
import { type Answer, type Ask, FuzzClient } from "./FuzzClient.js"
import { type Fuzzed, type Read, request, type Write } from "./FuzzedRequests.js"
import type { Scope } from "./FuzzedValues.js"
import { Findings } from "./FuzzFindings.js"
import * as FuzzVerdict from "./FuzzVerdict.js"
import type { Odd } from "./OddRequests.js"
import { type Expected, RunsModel } from "./RunsModel.js"
import { isObject } from "./RunsModelFields.js"

export interface Options {
  readonly url: string
  /** The same seed makes the same requests. */
  readonly seed: number
  readonly requests: number
  /** How many send at once. */
  readonly clients: number
}

/** What a fuzz found. */
export interface Report {
  readonly requests: number
  /** How many answers there were of each code. */
  readonly statuses: ReadonlyMap<number, number>
  /** Answers that turned a write away for a while. */
  readonly turnedAway: number
  readonly rows: number
  /** Rows that the server has otherwise than the model, or not, or without it. */
  readonly differingRows: number
  /** Answers and sums that are not what the model says, and failures of the server. */
  readonly problems: number
  /** Some of it in words. */
  readonly examples: ReadonlyArray<string>
}

const AT_ONCE = 250
const MOST_TRIES = 200
const RETRY_MILLIS = 50
const DEEP = 2500
const RUNS = "/api/v1/runs"

const isDeep = (body: Buffer): boolean => body.filter((byte) => byte === 0x5b || byte === 0x7b).length > DEEP

/** What the bytes of a body mean; nothing when they are not JSON. */
const parsed = (body: Buffer): { readonly value: unknown } | undefined => {
  if (isDeep(body)) return undefined
  try {
    return { value: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) }
  } catch {
    return undefined
  }
}

const targetOf = ({ kind, eventId, propagate }: Write): readonly [method: string, target: string] => {
  const id = encodeURIComponent(eventId)
  if (kind === "post") return ["POST", RUNS]
  if (kind === "batch") return ["POST", `${RUNS}/batch`]
  if (kind === "ops") return ["POST", "/api/v1/ops"]
  return kind === "patch"
    ? ["PATCH", `${RUNS}/${id}`]
    : ["POST", `${RUNS}/${id}/associate-commit${propagate ? "?propagate=true" : ""}`]
}

const expected = (model: RunsModel, write: Write, received: readonly [number, number]): Expected => {
  const body = parsed(write.body)
  if (body === undefined) return { statuses: [400] }
  if (write.kind === "post") return model.post(body.value, received)
  if (write.kind === "batch") return model.batch(body.value, received)
  if (write.kind === "ops") return model.ops(body.value, received)
  return write.kind === "patch"
    ? model.patch(write.eventId, body.value)
    : model.associate(write.eventId, body.value, write.propagate)
}

/** A member by its path; `length` of an array, and a member of each of its objects. */
const at = (value: unknown, path: ReadonlyArray<string>): unknown => {
  const [name, ...rest] = path
  if (name === undefined) return value
  if (Array.isArray(value)) return name === "length" ? value.length : value.map((one) => at(one, path))
  return isObject(value) ? at(value[name], rest) : undefined
}

const jsonIn = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const wrong = (wanted: Expected, answer: Answer): string | undefined => {
  if (!wanted.statuses.includes(answer.status)) return `${answer.status} instead of ${wanted.statuses.join(" or ")}`
  const body = jsonIn(answer.text)
  for (const [path, value] of Object.entries(wanted.body ?? {})) {
    const told = JSON.stringify(at(body, path.split(".")))
    if (told !== JSON.stringify(value)) return `${path} is ${told} instead of ${JSON.stringify(value)}`
  }
  return undefined
}

/** One client: what it sends, and the model of what it may have written. */
class Fuzzer {
  readonly model = new RunsModel()
  readonly #client: FuzzClient
  readonly #findings: Findings

  constructor(url: string, findings: Findings) {
    this.#client = new FuzzClient(url)
    this.#findings = findings
  }

  close(): void {
    this.#client.close()
  }

  /** The answer, once there is one that does not ask for patience. */
  async #ask(ask: Ask): Promise<Answer | undefined> {
    for (let turn = 0; turn < MOST_TRIES; turn++) {
      const answer = await this.#client.ask(ask).catch((error: unknown) => {
        this.#findings.problem(`${ask.method} ${ask.target.slice(0, 200)}: no answer: ${String(error)}`)
        return undefined
      })
      if (answer === undefined) return undefined
      this.#findings.answered(answer.status)
      if (answer.status >= 500 && answer.status !== 503) {
        this.#findings.problem(
          `${ask.method} ${ask.target.slice(0, 200)}: ${answer.status} ${answer.text.slice(0, 200)}`,
        )
      }
      if (answer.status !== 503) return answer
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLIS))
    }
    this.#findings.problem(`${ask.method} ${ask.target.slice(0, 200)}: turned away ${MOST_TRIES} times`)
    return undefined
  }

  async #write(write: Write): Promise<void> {
    const [method, target] = targetOf(write)
    const { body, headers, chunked } = write
    for (let time = 0; time < (write.again ? 2 : 1); time++) {
      const before = Date.now()
      const answer = await this.#ask({ method, target, headers, body, chunked })
      if (answer === undefined) return
      const problem = wrong(expected(this.model, write, [before, Date.now()]), answer)
      if (problem === undefined) continue
      const what = `${method} ${target.slice(0, 200)} ${body.toString("utf8").slice(0, 1500)}`
      this.#findings.problem(`${what}\n    ${problem}; it said ${answer.text.slice(0, 500)}`)
    }
  }

  async #read({ kind, id }: Read): Promise<void> {
    const path = encodeURIComponent(id)
    const targets = {
      get: `${RUNS}/${path}`,
      list: `${RUNS}?run_id=${path}`,
      events: `${RUNS}/${path}/events?limit=1000`,
    }
    const answer = await this.#ask({ method: "GET", target: targets[kind] })
    if (answer === undefined) return
    const problem = FuzzVerdict.read(this.model, kind, id, answer)
    if (problem !== undefined) this.#findings.problem(`GET ${targets[kind]}: ${problem}`)
  }

  async #odd({ method, target, headers, body, statuses }: Odd): Promise<void> {
    const answer = await this.#ask({ method, target, headers, body })
    if (answer === undefined || statuses.length === 0 || statuses.includes(answer.status)) return
    this.#findings.problem(
      `${method} ${target.slice(0, 200)} ${JSON.stringify(headers)}: ${answer.status} instead of ${statuses.join(" or ")}`,
    )
  }

  async #bytes(bytes: Buffer): Promise<void> {
    const said = await this.#client.bytes(bytes)
    for (const [, status = ""] of said.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)) {
      this.#findings.answered(Number(status))
      if (/^5/.test(status) && status !== "503") {
        this.#findings.problem(`${JSON.stringify(bytes.toString("latin1").slice(0, 300))}: ${said.slice(0, 200)}`)
      }
    }
  }

  async send(fuzzed: Fuzzed): Promise<void> {
    if (fuzzed.kind === "odd") return this.#odd(fuzzed)
    if (fuzzed.kind === "bytes") return this.#bytes(fuzzed.bytes)
    return "body" in fuzzed ? this.#write(fuzzed) : this.#read(fuzzed)
  }
}

/** Sends generated requests to a server without rows, and compares what it then has with the model. */
export const run = async ({ url, seed, requests, clients }: Options): Promise<Report> => {
  const findings = new Findings()
  const each = Math.ceil(requests / clients)
  const fuzzers = Array.from({ length: clients }, () => new Fuzzer(url, findings))
  const work = async (fuzzer: Fuzzer, index: number): Promise<void> => {
    const scope: Scope = { index, ids: Math.max(20, Math.ceil(each / 4)) }
    for (let sent = 0; sent < each; sent += AT_ONCE) {
      const numRuns = Math.min(AT_ONCE, each - sent)
      const made = FastCheck.sample(request(scope), { seed: seed + index * 1_000_003 + sent, numRuns })
      for (const fuzzed of made) await fuzzer.send(fuzzed)
    }
  }
  try {
    await Promise.all(fuzzers.map(work))
    const { rows, differing } = await FuzzVerdict.whole(
      url,
      fuzzers.map(({ model }) => model),
      findings,
    )
    return {
      requests: each * clients,
      statuses: findings.statuses,
      turnedAway: findings.statuses.get(503) ?? 0,
      rows,
      differingRows: differing,
      problems: findings.problems,
      examples: findings.examples,
    }
  } finally {
    for (const fuzzer of fuzzers) fuzzer.close()
  }
}
