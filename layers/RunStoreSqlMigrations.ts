import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import { fromMillis } from "../src/domain/Timestamp.js"
import type { Connection } from "./RunStoreSqlConnection.js"
import * as Sums from "./RunStoreSqlFirstSums.js"

/** Where the migrator remembers what it has done. */
export const MIGRATIONS_TABLE = "runledger_migrations"

const statements = (...texts: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.forEach(texts, (text) => sql.unsafe(text), { discard: true })
  })

const runs = statements(
  `CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    parent_run_id TEXT,
    agent_name TEXT NOT NULL,
    job_type TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT,
    start_time TEXT NOT NULL,
    end_time TEXT,
    duration_ms INTEGER NOT NULL,
    product TEXT,
    product_family TEXT,
    platform TEXT,
    subdomain TEXT,
    website TEXT,
    website_section TEXT,
    item_name TEXT,
    items_discovered INTEGER NOT NULL,
    items_succeeded INTEGER NOT NULL,
    items_failed INTEGER NOT NULL,
    items_skipped INTEGER NOT NULL,
    input_summary TEXT,
    output_summary TEXT,
    source_ref TEXT,
    target_ref TEXT,
    error_summary TEXT,
    error_details TEXT,
    git_repo TEXT,
    git_branch TEXT,
    git_commit_hash TEXT,
    git_run_tag TEXT,
    git_commit_source TEXT,
    git_commit_author TEXT,
    git_commit_timestamp TEXT,
    host TEXT,
    environment TEXT,
    trigger_type TEXT,
    metrics_json TEXT,
    context_json TEXT,
    api_posted INTEGER NOT NULL,
    api_posted_at TEXT,
    api_retry_count INTEGER NOT NULL,
    insight_id TEXT,
    schema_version INTEGER NOT NULL,
    inferred INTEGER NOT NULL,
    exact_json TEXT,
    trace_id TEXT,
    span_id TEXT,
    parent_span_id TEXT,
    model TEXT,
    provider TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    total_tokens INTEGER,
    cache_read_tokens INTEGER,
    cache_write_5m_tokens INTEGER,
    cache_write_1h_tokens INTEGER,
    reasoning_tokens INTEGER,
    cost_nanousd INTEGER,
    cost_status TEXT,
    time_to_first_token_ms REAL
  )`,
  "CREATE INDEX runs_created ON runs (created_at, id)",
  "CREATE INDEX runs_started ON runs (start_time)",
  "CREATE INDEX runs_run ON runs (run_id)",
  "CREATE INDEX runs_parent ON runs (parent_run_id, job_type) WHERE parent_run_id IS NOT NULL",
  "CREATE INDEX runs_trace ON runs (trace_id) WHERE trace_id IS NOT NULL",
  "CREATE INDEX runs_job ON runs (job_type, created_at, id)",
  "CREATE INDEX runs_agent ON runs (agent_name, created_at, id)",
  "CREATE INDEX runs_status ON runs (status, created_at, id)",
  "CREATE INDEX runs_model ON runs (model, created_at, id) WHERE model IS NOT NULL",
  "CREATE INDEX runs_product ON runs (product, created_at, id) WHERE product IS NOT NULL",
  "CREATE INDEX runs_inner_call ON runs (parent_span_id) WHERE parent_span_id IS NOT NULL AND job_type = 'llm_call'",
  `CREATE TABLE pending_updates (
    id INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    update_hash TEXT NOT NULL,
    update_json TEXT NOT NULL,
    received_at TEXT NOT NULL,
    UNIQUE (event_id, update_hash)
  )`,
  `CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    type TEXT NOT NULL,
    ts TEXT NOT NULL,
    event_json TEXT NOT NULL
  )`,
  "CREATE INDEX events_run ON events (run_id, id)",
  `CREATE TABLE client_reports (
    run_id TEXT PRIMARY KEY,
    backlog INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL,
    log_head TEXT,
    received_at TEXT NOT NULL
  )`,
  "CREATE TABLE pings (id INTEGER PRIMARY KEY CHECK (id = 1), at TEXT NOT NULL)",
)

/**
 * What is known of a run as a whole, whether or not it has a row; and when this server received each row. What was received
 * before this step counts as received now, so that no row is ended for a silence that nobody measured.
 */
const lives = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const now = fromMillis(yield* Clock.currentTimeMillis)
  yield* statements(
    `CREATE TABLE run_logs (
      run_id TEXT PRIMARY KEY,
      received_at TEXT NOT NULL,
      events INTEGER NOT NULL,
      log_head TEXT
    )`,
    "ALTER TABLE runs ADD COLUMN received_at TEXT",
  )
  yield* sql`UPDATE runs SET received_at = ${now}`
  yield* sql`INSERT INTO run_logs (run_id, received_at, events, log_head)
    SELECT run_id, ${now}, count(*), (
      SELECT json_extract(chained.event_json, '$.event_hash') FROM events AS chained
      WHERE chained.run_id = events.run_id AND json_extract(chained.event_json, '$.event_hash') IS NOT NULL
      ORDER BY chained.id DESC LIMIT 1
    ) FROM events GROUP BY run_id`
})

/** What a query may ask for by itself, newest first: the number of a row stands at the end of every index anyway. */
const INDEXES = [
  "CREATE INDEX runs_created ON runs (created_at)",
  "CREATE INDEX runs_run ON runs (run_id, created_at)",
  "CREATE INDEX runs_parent ON runs (parent_run_id, created_at) WHERE parent_run_id IS NOT NULL",
  "CREATE INDEX runs_trace ON runs (trace_id, created_at) WHERE trace_id IS NOT NULL",
  "CREATE INDEX runs_job ON runs (job_type, created_at)",
  "CREATE INDEX runs_agent ON runs (agent_name, created_at)",
  "CREATE INDEX runs_status ON runs (status, created_at) WHERE status <> 'success'",
  "CREATE INDEX runs_model ON runs (model, created_at) WHERE model IS NOT NULL",
  "CREATE INDEX runs_product ON runs (product, created_at) WHERE product IS NOT NULL",
  "CREATE INDEX runs_revision ON runs (revision)",
  "CREATE INDEX runs_call_span ON runs (trace_id, span_id) WHERE span_id IS NOT NULL AND job_type = 'llm_call'",
]

const OLD_INDEXES = [
  "runs_created",
  "runs_run",
  "runs_parent",
  "runs_trace",
  "runs_job",
  "runs_agent",
  "runs_status",
  "runs_model",
  "runs_product",
  "runs_inner_call",
]

/** How far old runs have been emptied, and up to which of a run's events they were let go: those that come again are known. */
const PRUNING = [
  `CREATE TABLE emptied (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    created_at TEXT NOT NULL,
    row_id INTEGER NOT NULL,
    begun_at TEXT NOT NULL
  )`,
  "ALTER TABLE run_logs ADD COLUMN let_go_to TEXT",
]

/**
 * A number for every change of a row, the mark of the calls that bear tokens and cost, and sums kept beside the rows; with
 * indexes that give the newest rows in order. A row that was there before this step has its own number as its last change's. The numbers
 * are those of one store, which has a name by chance.
 */
const sums = (sql: Connection) =>
  Effect.gen(function* () {
    yield* statements(
      "ALTER TABLE runs ADD COLUMN bears INTEGER NOT NULL DEFAULT 1",
      "ALTER TABLE runs ADD COLUMN revision INTEGER NOT NULL DEFAULT 0",
      ...OLD_INDEXES.map((name) => `DROP INDEX ${name}`),
      "UPDATE runs SET revision = id",
      ...Sums.TABLES,
      ...PRUNING,
      "INSERT INTO revisions (id, last, store) SELECT 1, coalesce(max(id), 0), lower(hex(randomblob(16))) FROM runs",
    )
    yield* Sums.fill(sql)
    yield* statements(...INDEXES)
  })

/** What was priced anew on purpose: each time with what it was asked and came to, and each of its calls as it was before. */
const repricings = statements(
  `CREATE TABLE repricings (
    id INTEGER PRIMARY KEY,
    begun_at TEXT NOT NULL,
    finished_at TEXT,
    undone_at TEXT,
    filter_json TEXT NOT NULL,
    price_tables TEXT NOT NULL,
    calls INTEGER NOT NULL,
    newly_priced INTEGER NOT NULL,
    old_cost_nanousd INTEGER NOT NULL,
    new_cost_nanousd INTEGER NOT NULL,
    undone_calls INTEGER NOT NULL
  )`,
  `CREATE TABLE repriced_calls (
    event_id TEXT NOT NULL,
    repricing_id INTEGER NOT NULL,
    before_json TEXT NOT NULL,
    after_json TEXT NOT NULL,
    before_updated_at TEXT,
    repriced_at TEXT NOT NULL,
    undone INTEGER NOT NULL,
    PRIMARY KEY (event_id, repricing_id)
  ) WITHOUT ROWID`,
  "CREATE INDEX repriced_calls_repricing ON repriced_calls (repricing_id, event_id)",
)

const STEPS = { "1_runs": () => runs, "2_lives": () => lives, "3_sums": sums, "4_repricings": () => repricings }

/** The newest migration that this version knows. */
export const LATEST = Object.keys(STEPS).length

/** Brings a store forward, step by step in one transaction; never back. */
export const migrate = (sql: Connection) =>
  Migrator.make({})({
    loader: Migrator.fromRecord(Record.map(STEPS, (step) => step(sql))),
    table: MIGRATIONS_TABLE,
  }).pipe(Effect.provideService(SqlClient.SqlClient, sql))
