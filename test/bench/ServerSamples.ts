import { createHash } from "node:crypto"
import type { Event } from "../../src/domain/Event.js"
import * as Project from "../../src/domain/Project.js"
import type { RunCreateWire } from "../../src/domain/Run.js"

/** One request, ready to be sent. */
export interface Post {
  readonly path: string
  readonly body: Buffer
  /** Rows, or operations, that it writes. */
  readonly rows: number
}

export const BATCH_ROWS = 100
export const OPERATIONS = 200

const MODELS = ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5"]
const START = Date.UTC(2026, 2, 1)
const CALL_SPACING_MILLIS = 400

export const hex = (text: string, digits: number): string =>
  createHash("sha256").update(text).digest("hex").slice(0, digits)

/** Ordered as UUIDv7 ids are: by time, then by chance. */
export const uuid = (millis: number, name: string): string => {
  const time = millis.toString(16).padStart(12, "0")
  const rest = hex(name, 18)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-8${rest.slice(3, 6)}-${rest.slice(6)}`
}

const at = (millis: number): string => new Date(millis).toISOString()

/** The n-th call of a run as a client that does without events would post it. */
export const call = (run: string, n: number): RunCreateWire => {
  const millis = START + n * CALL_SPACING_MILLIS
  const model = MODELS[n % MODELS.length] ?? ""
  const failed = n % 29 === 0
  const [input, output, cached] = [900 + ((n * 37) % 4000), 100 + ((n * 13) % 900), (n * 7) % 500]
  const duration = 400 + ((n * 211) % 9000)
  const name = `section_writer_part-${n % 400}`
  return {
    event_id: uuid(millis, `${run}/${n}`),
    run_id: `${run}-llm-${name}~${n}`,
    parent_run_id: run,
    agent_name: `launch.llm.${name}`,
    job_type: "llm_call",
    status: failed ? "failure" : "success",
    start_time: at(millis),
    created_at: at(millis),
    end_time: at(millis + duration),
    duration_ms: duration,
    product: "widget",
    git_repo: "https://github.com/example/widget",
    git_branch: "main",
    git_commit_hash: hex(run, 40),
    host: "bench",
    environment: "local",
    trigger_type: "cli",
    error_summary: failed ? "the provider was overloaded" : null,
    metrics_json: {
      input_tokens: input,
      output_tokens: output,
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      cache_read_tokens: cached,
      cache_write_5m_tokens: 0,
      cache_write_1h_tokens: 0,
      reasoning_tokens: output >> 2,
      usage_source: "provider",
      finish_reason: "stop",
      time_to_first_token_ms: 120.5 + (n % 800),
      cost_nanousd: n % 11 === 0 ? null : input * 3000 + output * 15_000,
      cost_status: n % 11 === 0 ? "unpriced" : n % 7 === 0 ? "simulated" : "priced",
    },
    context_json: {
      trace_id: hex(run, 32),
      span_id: hex(`${run}/${n}`, 16),
      parent_span_id: hex(`${run}/worker/${n % 4}`, 16),
      call_id: `${name}~${n}`,
      model,
      provider: "anthropic",
      provider_base_url: "https://api.anthropic.com",
      temperature: 0,
      max_tokens: 4096,
      prompt_hash: hex(`${run}/${n}/prompt`, 64),
      evidence_path: `evidence/llm_calls/${name}.json`,
      worker: "W4.SectionWriter",
    },
  }
}

const post = (path: string, body: unknown, rows: number): Post => ({
  path,
  body: Buffer.from(JSON.stringify(body)),
  rows,
})

/** The n-th call of a run as a request of its own. */
export const single = (run: string, n: number): Post => post("/api/v1/runs", call(run, n), 1)

/** The n-th hundred calls of a run. */
export const batch = (run: string, n: number): Post =>
  post(
    "/api/v1/runs/batch",
    Array.from({ length: BATCH_ROWS }, (_, index) => call(run, n * BATCH_ROWS + index)),
    BATCH_ROWS,
  )

const sum = (text: string): string => hex(text, 64)

/** The two events of a call. */
const events = (run: string, n: number): readonly [started: Event, finished: Event] => {
  const millis = START + n * CALL_SPACING_MILLIS
  const name = `section_writer_part-${n % 400}~${n}`
  const [input, output] = [900 + ((n * 37) % 4000), 100 + ((n * 13) % 900)]
  const duration = 400 + ((n * 211) % 9000)
  const where = {
    run_id: run,
    trace_id: hex(run, 32),
    span_id: hex(`${run}/${n}`, 16),
    parent_span_id: hex(`${run}/worker/${n % 4}`, 16),
  }
  const chain = (place: number) => ({
    prev_hash: sum(`${run}/line/${place - 1}`),
    event_hash: sum(`${run}/line/${place}`),
  })
  return [
    {
      event_id: uuid(millis, `${run}/${n}/started`),
      ...where,
      ts: at(millis),
      type: "LLM_CALL_STARTED",
      payload: {
        call_id: name,
        model: MODELS[n % MODELS.length] ?? "",
        provider: "anthropic",
        provider_base_url: "https://api.anthropic.com",
        prompt_hash: sum(`${run}/${n}/prompt`),
        temperature: 0,
        max_tokens: 4096,
        evidence_path: `evidence/llm_calls/${name}.json`,
        worker: "W4.SectionWriter",
      },
      ...chain(2 * n),
    },
    {
      event_id: uuid(millis + duration, `${run}/${n}/finished`),
      ...where,
      ts: at(millis + duration),
      type: "LLM_CALL_FINISHED",
      payload: {
        call_id: name,
        latency_ms: duration,
        token_usage: {
          input_tokens: input,
          output_tokens: output,
          total_tokens: input + output,
          cache_read_tokens: n % 500,
        },
        finish_reason: "stop",
        stop_reason: "end_turn",
        output_hash: sum(`${run}/${n}/output`),
        time_to_first_token_ms: 120.5 + (n % 800),
        request_id: `req_${hex(`${run}/${n}`, 24)}`,
        cost_nanousd: input * 3000 + output * 15_000,
        cost_status: "priced",
        usage_source: "provider",
      },
      ...chain(2 * n + 1),
    },
  ]
}

const CALLS_AT_ONCE = OPERATIONS / 4

/** Calls that have begun and not yet ended when a request is sent: what a pool of workers has in flight. */
const IN_FLIGHT = CALLS_AT_ONCE / 2

/** The first requests of operations of a run: calls begin and end, and half of what ends began in the request before. */
export const operations = (run: string, requests: number): ReadonlyArray<Post> => {
  const projection = Project.make()
  const posts: Array<Post> = []
  for (let request = 0; request < requests; request += 1) {
    const from = request * CALLS_AT_ONCE
    const started = Array.from({ length: CALLS_AT_ONCE }, (_, index) => events(run, from + index)[0])
    const finished = Array.from({ length: CALLS_AT_ONCE }, (_, index) => from + index - IN_FLIGHT)
      .filter((n) => n >= 0)
      .map((n) => events(run, n)[1])
    const ops = [...started, ...finished].flatMap(projection.step)
    const client = { run_id: run, backlog: 0, dropped: 0, dead_letters: 0, log_head: sum(`${run}/line/${2 * from}`) }
    posts.push(post("/api/v1/ops", { ops, client }, ops.length))
  }
  return posts
}

/** Calls inside of a call, some of them before it and some after it: the outer one stops bearing cost. */
export const nested = (run: string): ReadonlyArray<Post> => {
  const inside = (n: number, outer: number): RunCreateWire => {
    const own = call(run, n)
    return { ...own, context_json: { ...own.context_json, parent_span_id: hex(`${run}/${outer}`, 16) } }
  }
  const rows = [inside(1, 0), call(run, 0), call(run, 2), inside(3, 2), inside(4, 2), inside(5, 4)]
  return [
    ...rows.map((row) => post("/api/v1/runs", row, 1)),
    post("/api/v1/runs/batch", [call(run, 6), inside(7, 6)], 2),
  ]
}
