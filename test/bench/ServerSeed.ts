import type { RunCreateWire } from "../../src/domain/Run.js"
import type { Status } from "../../src/domain/Status.js"
import { hex, uuid } from "./ServerSamples.js"

/** To be raised whenever other rows come out: databases that were kept are then made anew. */
export const VERSION = 1

const WORKERS = 9
const CALLS = 190
const ROWS_OF_A_LAUNCH = 1 + WORKERS + CALLS
const DAY_MILLIS = 86_400_000
const DAYS = 40
const MODELS = ["claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4"]
const PRODUCTS = ["widget", "gadget", "gizmo", "sprocket", "flange"]
const WORKER_NAMES = ["W1.RepoScout", "W2.FactsBuilder", "W3.Planner", "W4.SectionWriter"]

/** Midnight of the first day. */
export const START = Date.UTC(2026, 0, 1)

/** A window of 30 whole days out of the 40, as filters have it. */
export const WINDOW = {
  from: new Date(START + 5 * DAY_MILLIS).toISOString(),
  to: new Date(START + 35 * DAY_MILLIS - 1).toISOString(),
}

/** A row with every field that its figures are made of. */
export interface SeedRow extends RunCreateWire {
  readonly event_id: string
  readonly created_at: string
  readonly status: Status
  readonly duration_ms: number
}

/** Launches one after the other in time, 200 rows each, one among them with many calls; made from their numbers alone. */
export interface Seed {
  readonly rows: number
  readonly launches: number
  /** The launch with many calls, and how many these are. */
  readonly big: number
  readonly bigCalls: number
  readonly runIdOf: (launch: number) => string
  readonly traceOf: (launch: number) => string
  readonly rowsOf: (launch: number) => ReadonlyArray<SeedRow>
}

/** Thoroughly mixed 32 bits of two numbers. */
const mixed = (left: number, right: number): number => {
  let mix = Math.imul(left + 0x9e3779b9, 0x85ebca6b) ^ Math.imul(right + 1, 0xc2b2ae35)
  mix = Math.imul(mix ^ (mix >>> 15), 0x2c1b3c6d)
  mix = Math.imul(mix ^ (mix >>> 12), 0x297a2d39)
  return (mix ^ (mix >>> 15)) >>> 0
}

const statusOf = (chance: number): Status => {
  const percent = chance % 100
  if (percent < 93) return "success"
  if (percent < 96) return "failure"
  if (percent < 97) return "timeout"
  return percent < 98 ? "cancelled" : "partial"
}

const costStatusOf = (chance: number): string => {
  const percent = chance % 100
  if (percent < 80) return "priced"
  if (percent < 90) return "simulated"
  return percent < 95 ? "unpriced" : "replayed"
}

const spanOf = (launch: number, row: number): string =>
  mixed(launch, row).toString(16).padStart(8, "0") + (launch * 65_536 + row).toString(16).padStart(8, "0")

/** What all rows of a launch share. */
interface Shared {
  readonly launch: number
  readonly runId: string
  readonly trace: string
  readonly product: string
}

const common = ({ launch, runId, trace, product }: Shared, row: number, millis: number) => {
  const chance = mixed(launch, row * 7 + 1)
  const status = statusOf(chance)
  const at = new Date(millis).toISOString()
  const duration = Math.round(200 * 1.0005 ** (chance % 11_000))
  return {
    event_id: uuid(millis, `${runId}/${row}`),
    start_time: at,
    created_at: at,
    end_time: new Date(millis + duration).toISOString(),
    duration_ms: duration,
    status,
    product,
    git_repo: `https://github.com/example/${product}`,
    git_branch: "main",
    git_commit_hash: `${trace}01234567`,
    host: "bench",
    environment: "local",
    trigger_type: "cli",
    error_summary: status === "failure" || status === "timeout" ? "the provider was overloaded" : null,
  }
}

const launchRow = (shared: Shared, millis: number): SeedRow => ({
  ...common(shared, 0, millis),
  run_id: shared.runId,
  agent_name: "launch.orchestrator",
  job_type: "launch",
  context_json: { trace_id: shared.trace, span_id: spanOf(shared.launch, 0), parent_span_id: null },
})

const workerRow = (shared: Shared, row: number, millis: number): SeedRow => {
  const worker = WORKER_NAMES[row % WORKER_NAMES.length] ?? ""
  return {
    ...common(shared, row, millis),
    run_id: `${shared.runId}:${worker}:${row}`,
    parent_run_id: shared.runId,
    agent_name: `launch.workers.${worker}`,
    job_type: "worker",
    context_json: {
      trace_id: shared.trace,
      span_id: spanOf(shared.launch, row),
      parent_span_id: spanOf(shared.launch, 0),
      worker,
    },
  }
}

const callRow = (shared: Shared, row: number, millis: number): SeedRow => {
  const chance = mixed(row, shared.launch)
  const fields = common(shared, row, millis)
  const [input, output] = [500 + (chance % 7500), 50 + ((chance >>> 9) % 1500)]
  const costStatus = costStatusOf(chance >>> 7)
  const callId = `section_writer_part-${row}`
  return {
    ...fields,
    run_id: `${shared.runId}-llm-${callId}`,
    parent_run_id: shared.runId,
    agent_name: `launch.llm.${callId}`,
    job_type: "llm_call",
    metrics_json: {
      input_tokens: input,
      output_tokens: output,
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      cache_read_tokens: input >> 2,
      cache_write_5m_tokens: chance % 5 === 0 ? input >> 3 : 0,
      cache_write_1h_tokens: 0,
      reasoning_tokens: output >> 1,
      usage_source: "provider",
      finish_reason: "stop",
      time_to_first_token_ms: (fields.duration_ms >> 2) + 0.5,
      cost_nanousd: costStatus === "unpriced" ? null : input * 3000 + output * 15_000,
      cost_status: costStatus,
    },
    context_json: {
      trace_id: shared.trace,
      span_id: spanOf(shared.launch, row),
      parent_span_id: spanOf(shared.launch, 1 + (row % WORKERS)),
      call_id: callId,
      model: MODELS[(chance >>> 3) % MODELS.length] ?? "",
      provider: "anthropic",
      provider_base_url: "https://api.anthropic.com",
      temperature: 0,
      max_tokens: 4096,
      prompt_hash: `${shared.trace}${shared.trace}`,
      evidence_path: `evidence/llm_calls/${callId}.json`,
      worker: "W4.SectionWriter",
    },
  }
}

/** So many rows over 40 days; the launch in the middle has 10,000 calls, or a tenth of all where that is less. */
export const make = (rows: number): Seed => {
  const bigCalls = Math.min(10_000, Math.floor(rows / 10))
  const usual = rows - (1 + WORKERS + bigCalls)
  const launches = Math.ceil(usual / ROWS_OF_A_LAUNCH) + 1
  const big = Math.floor(launches / 2)
  const slotMillis = Math.floor((DAYS * DAY_MILLIS) / launches)
  const runIdOf = (launch: number): string => `r_bench_launch_${String(launch).padStart(6, "0")}`
  const traceOf = (launch: number): string => hex(runIdOf(launch), 32)
  const sizeOf = (launch: number): number => {
    if (launch === big) return 1 + WORKERS + bigCalls
    return launch === launches - 1 ? usual - (launches - 2) * ROWS_OF_A_LAUNCH : ROWS_OF_A_LAUNCH
  }
  const rowsOf = (launch: number): ReadonlyArray<SeedRow> => {
    const size = sizeOf(launch)
    const step = Math.floor((slotMillis * 0.9) / size)
    const product = PRODUCTS[launch % PRODUCTS.length] ?? ""
    const shared = { launch, runId: runIdOf(launch), trace: traceOf(launch), product }
    return Array.from({ length: size }, (_, row) => {
      const millis = START + launch * slotMillis + row * step
      if (row === 0) return launchRow(shared, millis)
      return row <= WORKERS ? workerRow(shared, row, millis) : callRow(shared, row, millis)
    })
  }
  return { rows, launches, big, bigCalls, runIdOf, traceOf, rowsOf }
}
