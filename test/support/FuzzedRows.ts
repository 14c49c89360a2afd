import * as FastCheck from "effect/FastCheck"
import {
  type Any,
  anything,
  BAD_TIMES,
  count,
  duration,
  eventId,
  type Fields,
  hex,
  jsonObject,
  oddText,
  runId,
  type Scope,
  status,
  text,
  textOrNull,
  time,
} from "./FuzzedValues.js"

const { array, boolean, constant, constantFrom, double, nat, oneof, option, record, tuple } = FastCheck

const token = oneof(
  { weight: 8, arbitrary: nat(5000) },
  { weight: 1, arbitrary: constantFrom<unknown>(null, -1, 1.5, "7", true) },
)

const metrics: Any = record(
  {
    input_tokens: token,
    prompt_tokens: token,
    output_tokens: token,
    completion_tokens: token,
    total_tokens: token,
    cache_read_tokens: token,
    cache_write_5m_tokens: token,
    cache_write_1h_tokens: token,
    // The only sum that grows beyond what is exact: the others stay comparable.
    reasoning_tokens: oneof({ weight: 20, arbitrary: token }, { weight: 1, arbitrary: constant(2 ** 53 - 1) }),
    cost_nanousd: oneof(nat(1_000_000), constantFrom<unknown>(null, -5)),
    api_cost_usd: oneof(double({ min: 0, max: 1, noNaN: true }), constantFrom<unknown>(null, "1")),
    cost_status: constantFrom<unknown>("priced", "unpriced", "simulated", "replayed", "free", null),
    time_to_first_token_ms: oneof(nat(3000), double({ min: 0, max: 3000, noNaN: true })),
  },
  { requiredKeys: [] },
)

const context = (scope: Scope): Any => {
  const span = option(nat(scope.ids), { freq: 3 }).map((n) => (n === null ? null : hex(n + 1, 16)))
  return record(
    {
      trace_id: option(nat(40), { freq: 6 }).map((n) => (n === null ? null : hex(scope.index * 1000 + n, 32))),
      span_id: span,
      parent_span_id: span,
      model: constantFrom<unknown>("model-a", "model-b", "model-é", "nul\0model", "", null, 42),
      provider: constantFrom<unknown>("anthropic", "sandbox", null),
    },
    { requiredKeys: [] },
  )
}

const REPOSITORIES = [
  "https://github.com/o/r",
  "https://github.com/o/r.git",
  "http://github.com/o/r",
  "git@github.com:o/r",
  "https://example.org/o/r",
]

const field = <A>(name: string, value: FastCheck.Arbitrary<A>) =>
  value.map((one): readonly [string, unknown] => [name, one])

const patchFields = (scope: Scope) => [
  field("status", status),
  field("end_time", option(time)),
  field("duration_ms", duration),
  ...["items_discovered", "items_succeeded", "items_failed", "items_skipped"].map((name) => field(name, count)),
  ...[
    "input_summary",
    "output_summary",
    "error_summary",
    "error_details",
    "git_commit_source",
    "git_commit_author",
  ].map((name) => field(name, textOrNull)),
  field(
    "metrics_json",
    option(oneof({ weight: 4, arbitrary: metrics }, { weight: 1, arbitrary: jsonObject }), { freq: 8 }),
  ),
  field(
    "context_json",
    option(oneof({ weight: 4, arbitrary: context(scope) }, { weight: 1, arbitrary: jsonObject }), { freq: 8 }),
  ),
  field("git_commit_timestamp", option(time)),
]

const createFields = (scope: Scope) => [
  ...patchFields(scope),
  ...[
    "product_family",
    "platform",
    "website",
    "item_name",
    "source_ref",
    "git_branch",
    "host",
    "environment",
    "insight_id",
  ].map((name) => field(name, textOrNull)),
  field("product", constantFrom<unknown>("widget", "gadget", null, "nul\0")),
  field("git_repo", constantFrom<unknown>(...REPOSITORIES, null, "")),
  field("git_commit_hash", constantFrom<unknown>("0123abc", "0123456789abcdef0123456789abcdef01234567", "xyz", null)),
  field("created_at", option(time)),
  field("api_posted", option(boolean())),
  field("api_posted_at", option(time)),
  field("api_retry_count", count),
  field("parent_run_id", option(runId(scope))),
  field("unknown_field", anything),
]

const merged = (parts: ReadonlyArray<FastCheck.Arbitrary<readonly [string, unknown]>>, least: number) =>
  array(oneof(...parts), { minLength: least, maxLength: 9 }).map((entries): Fields => Object.fromEntries(entries))

const without = (fields: Fields, name: string): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name))

const IDS = ["event_id", "run_id", "parent_run_id"]

/** An odd id must not be another client's too: nobody could tell whose row it is. */
const ownId = (scope: Scope, name: string, odd: unknown): unknown =>
  IDS.includes(name) && typeof odd === "string" ? `${odd}#${scope.index}` : odd

/** One time in nine with a field that is odd, or without one. */
const spoilt = (scope: Scope, fields: FastCheck.Arbitrary<Fields>): FastCheck.Arbitrary<Fields> =>
  oneof(
    { weight: 8, arbitrary: fields },
    {
      weight: 1,
      arbitrary: tuple(fields, nat(), oneof(anything, constantFrom(...BAD_TIMES)), boolean()).map(
        ([whole, at, odd, drop]) => {
          const names = Object.keys(whole)
          const name = names[at % Math.max(1, names.length)] ?? "status"
          return drop ? without(whole, name) : { ...whole, [name]: ownId(scope, name, odd) }
        },
      ),
    },
  )

/** What a client may write of a run, mostly whole. */
export const row = (scope: Scope): FastCheck.Arbitrary<Fields> =>
  spoilt(
    scope,
    tuple(
      record({
        event_id: eventId(scope),
        run_id: runId(scope),
        agent_name: constantFrom("launch.orchestrator", `agent-${scope.index}`, "agent é"),
        job_type: constantFrom("llm_call", "llm_call", "worker", "launch", "gate"),
        start_time: time,
        context_json: context(scope),
        metrics_json: metrics,
      }),
      merged(createFields(scope), 0),
    ).map(([essential, rest]) => ({ ...essential, ...rest })),
  )

/** What a client may change of a run. */
export const patch = (scope: Scope): FastCheck.Arbitrary<Fields> => spoilt(scope, merged(patchFields(scope), 0))

const event = (scope: Scope): FastCheck.Arbitrary<Fields> =>
  spoilt(
    scope,
    record({
      event_id: nat(scope.ids).map((n) => `e${scope.index}-${n}`),
      run_id: runId(scope),
      ts: constant("2026-01-15T12:00:00.000Z"),
      trace_id: nat(40).map((n) => hex(n, 32)),
      span_id: nat(99).map((n) => hex(n + 1, 16)),
      type: constantFrom("ISSUE_OPENED", "TELEMETRY_GAP"),
      payload: oneof(
        record({ issue_id: constant("i"), kind: text, message: oddText }),
        record({ dropped: nat(), reason: oddText, more: jsonObject }),
        record({ issue_id: constant("i"), kind: text, message: oddText, dropped: nat(), reason: text }),
      ),
    }),
  )

const operation = (scope: Scope): FastCheck.Arbitrary<Fields> =>
  oneof(
    { weight: 4, arbitrary: row(scope).map((fields): Fields => ({ op: "create", ...fields })) },
    {
      weight: 6,
      arbitrary: tuple(eventId(scope), patch(scope), nat(4), nat(), boolean()).map(
        ([event_id, fields, flags, serial, numbered]): Fields => ({
          op: "update",
          event_id,
          ...(flags === 1 ? { reopen: true } : {}),
          ...(flags === 2 ? { inferred: true } : {}),
          ...(numbered ? { error_details: `#${serial}` } : {}),
          ...fields,
        }),
      ),
    },
    {
      weight: 2,
      arbitrary: event(scope).map((one): Fields => ({ op: "event", event_id: one["event_id"] ?? "", event: one })),
    },
    { weight: 1, arbitrary: record({ op: anything, event_id: eventId(scope) }) },
  )

const client = (scope: Scope): Any =>
  record(
    {
      run_id: runId(scope),
      backlog: oneof(nat(1000), constantFrom<unknown>(-1, "2", null)),
      dropped: nat(1000),
      dead_letters: nat(1000),
      log_head: option(text),
    },
    { requiredKeys: ["run_id"] },
  )

/** A body of operations. */
export const operations = (scope: Scope): Any =>
  oneof(
    {
      weight: 20,
      arbitrary: record(
        { ops: array(operation(scope), { maxLength: 8 }), client: client(scope) },
        { requiredKeys: ["ops"] },
      ),
    },
    { weight: 1, arbitrary: oneof(anything, record({ ops: anything })) },
  )

/** A body of runs. */
export const batch = (scope: Scope): Any => {
  const rows = array(oneof({ weight: 12, arbitrary: row(scope) }, { weight: 1, arbitrary: anything }), { maxLength: 8 })
  return oneof(
    { weight: 10, arbitrary: rows },
    { weight: 10, arbitrary: rows.map((runs) => ({ runs })) },
    { weight: 1, arbitrary: oneof(anything, record({ runs: anything })) },
  )
}

/** A body that gives a run to a commit. */
export const association: Any = oneof(
  {
    weight: 5,
    arbitrary: record(
      {
        commit_hash: constantFrom<unknown>("0123abc", "ABCDEF0123456789", "0123456789abcdef0123456789abcdef01234567"),
        commit_source: constantFrom<unknown>("manual", "llm", "ci"),
        commit_author: textOrNull,
        commit_timestamp: option(time),
      },
      { requiredKeys: ["commit_hash", "commit_source"] },
    ),
  },
  {
    weight: 1,
    arbitrary: record({ commit_hash: anything, commit_source: constantFrom<unknown>("manual", "me", null) }),
  },
)
