import type { Answer } from "./FuzzClient.js"
import type { Findings } from "./FuzzFindings.js"
import type { ModelRow, RunsModel } from "./RunsModel.js"
import { isObject, type Json, own } from "./RunsModelFields.js"
import * as Stats from "./RunsModelStats.js"

const RUNS = "/api/v1/runs"
/** Clocks of one machine that two processes read. */
const SLACK_MILLIS = 1000
const PAGE = 1000

const objects = (value: unknown): ReadonlyArray<Json> => (Array.isArray(value) ? value.filter(isObject) : [])

const KNOWN_REPOSITORY = "https://github.com/o/r"

const repository = (row: Json): string | null =>
  [KNOWN_REPOSITORY, `${KNOWN_REPOSITORY}.git`].includes(String(row["git_repo"])) ? KNOWN_REPOSITORY : null

const commit = (row: Json): string | null => {
  const hash = row["git_commit_hash"]
  const found = repository(row)
  return found !== null && typeof hash === "string" && /^[0-9a-f]{7,40}$/i.test(hash) ? `${found}/commit/${hash}` : null
}

/** The members in which a row is not what the model says. */
const differences = (row: Json, { fields, touched, received }: ModelRow): ReadonlyArray<string> => {
  const wanted: Json = { ...fields, commit_url: commit(fields), repo_url: repository(fields), schema_version: 1 }
  const names = Object.keys(wanted).filter(
    (name) =>
      !(name === "created_at" && wanted[name] === null) && JSON.stringify(row[name]) !== JSON.stringify(wanted[name]),
  )
  const created = Date.parse(String(row["created_at"]))
  const isTimely =
    fields["created_at"] !== null || (created >= received[0] - SLACK_MILLIS && created <= received[1] + SLACK_MILLIS)
  const isMarked = (row["updated_at"] !== null) === touched
  return [
    ...names.map((name) => `${name} is ${JSON.stringify(row[name])}, the model has ${JSON.stringify(wanted[name])}`),
    ...(isTimely ? [] : [`created_at ${String(row["created_at"])} is not when it was received`]),
    ...(isMarked ? [] : [`updated_at is ${String(row["updated_at"])}`]),
  ]
}

const idsOf = (rows: ReadonlyArray<Json>): ReadonlyArray<string> => rows.map((row) => String(row["event_id"]))

/** Newest first: created_at, then id. */
const comesAfter = (left: Json, right: Json): boolean => {
  const [a, b] = [String(left["created_at"]), String(right["created_at"])]
  return a === b ? Number(left["id"]) > Number(right["id"]) : a > b
}

const isOrdered = (rows: ReadonlyArray<Json>): boolean =>
  rows.every((row, index) => {
    const before = rows[index - 1]
    return before === undefined || comesAfter(before, row)
  })

const isSame = (left: ReadonlyArray<string>, right: ReadonlyArray<string>): boolean =>
  JSON.stringify([...left].sort()) === JSON.stringify([...right].sort())

const events = (model: RunsModel, runId: string, answer: Answer): string | undefined => {
  const texts = model.events.get(runId) ?? []
  const isKnown = texts.length > 0 || [...model.rows.values()].some(({ fields }) => fields["run_id"] === runId)
  if (!isKnown) return answer.status === 404 ? undefined : `${answer.status} for a run that nobody knows`
  if (answer.status !== 200) return `${answer.status} for a known run`
  if (answer.total !== String(texts.length)) return `X-Total-Count ${answer.total} instead of ${texts.length}`
  return answer.text === `[${texts.slice(0, PAGE).join(",")}]`
    ? undefined
    : "not the events that were sent, to the letter"
}

/** What is wrong with the answer to a read of a client's own rows. */
export const read = (
  model: RunsModel,
  kind: "get" | "list" | "events",
  id: string,
  answer: Answer,
): string | undefined => {
  if (kind === "events") return events(model, id, answer)
  if (kind === "list") {
    if (answer.status !== 200) return `${answer.status} instead of 200`
    const rows = objects(JSON.parse(answer.text))
    const wanted = [...model.rows.values()].filter(({ fields }) => fields["run_id"] === id)
    if (!isOrdered(rows)) return "not newest first"
    return isSame(idsOf(rows), idsOf(wanted.map(({ fields }) => fields))) ? undefined : "not the rows of that run"
  }
  const known = model.rows.get(id)
  if (known === undefined) return answer.status === 404 ? undefined : `${answer.status} for a row that nobody made`
  if (answer.status !== 200) return `${answer.status} for a known row`
  return differences(JSON.parse(answer.text), known)[0]
}

const ask = async (url: string): Promise<Response> => {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response
}

/** Every row, page by page as the server links them. */
const everyRow = async (url: string): Promise<ReadonlyArray<Json>> => {
  const rows: Array<Json> = []
  for (let next: string | undefined = `${RUNS}?limit=${PAGE}`; next !== undefined; ) {
    const response: Response = await ask(`${url}${next}`)
    rows.push(...objects(await response.json()))
    next = /<([^>]+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1]
  }
  return rows
}

const FILTERS: ReadonlyArray<Stats.Query> = [
  {},
  { job_type: "llm_call" },
  { job_type: "worker" },
  { status: "failure" },
  { status: "success", job_type: "llm_call" },
  { product: "widget" },
  { model: "model-é" },
  { agent_name: "agent é" },
  { start_time_from: "2026-01-12T00:00:00.000Z", start_time_to: "2026-01-14T23:59:59.999Z" },
  { start_time_from: "2026-01-12T05:00:00.000Z", start_time_to: "2026-01-12T16:59:59.999Z" },
  { start_time_from: "2026-01-12T05:17:03.001Z", product: "gadget" },
  { created_after: "2026-01-13T00:00:00.000Z", created_before: "2026-01-17T00:00:00.000Z" },
  { run_id: "run-0-1" },
  { parent_run_id: "run-0-1" },
  { trace_id: "1".padStart(32, "0") },
]

const search = (query: Stats.Query): string => new URLSearchParams(query).toString()

const compareLists = async (url: string, rows: ReadonlyArray<Json>, findings: Findings): Promise<void> => {
  for (const query of FILTERS) {
    const response = await ask(`${url}${RUNS}?${search(query)}&limit=${PAGE}`)
    const told = objects(await response.json())
    const wanted = rows.filter((row) => Stats.matches(row, query))
    const what = `list by ${JSON.stringify(query)}`
    if (JSON.stringify(idsOf(told)) !== JSON.stringify(idsOf(wanted.slice(0, PAGE))))
      findings.problem(`${what}: other rows than the model's`)
    const total = response.headers.get("x-total-count")
    if (total !== String(wanted.length)) findings.problem(`${what}: X-Total-Count ${total} instead of ${wanted.length}`)
  }
}

const SUMS_TOLERANCE = 1e-9

/** What is wrong with one group of the stats. */
const wrongSums = (told: Json, wanted: Json): ReadonlyArray<string> =>
  Object.entries(wanted).flatMap(([name, value]) => {
    const said = told[name]
    if (!isObject(value)) return said === value ? [] : [`${name} is ${String(said)} instead of ${String(value)}`]
    const far = Object.entries(value).filter(
      ([rank, exact]) => !Stats.isNear(isObject(said) ? said[rank] : null, exact),
    )
    return far.map(([rank, exact]) => `${name} ${rank} is ${JSON.stringify(said)} instead of ${String(exact)}`)
  })

const isPriced = (told: Json): boolean =>
  Math.abs(Number(told["cost_usd"]) - Number(told["cost_nanousd"]) / 1e9) <= SUMS_TOLERANCE

const compareStats = async (url: string, rows: ReadonlyArray<Json>, findings: Findings): Promise<void> => {
  for (const query of FILTERS) {
    for (const groupBy of Stats.GROUP_NAMES) {
      const told = objects(await (await ask(`${url}/api/v1/stats?${search({ ...query, group_by: groupBy })}`)).json())
      const wanted = Stats.stats(rows, groupBy, query)
      const what = `stats by ${groupBy} of ${JSON.stringify(query)}`
      if (told.length !== wanted.size) findings.problem(`${what}: ${told.length} groups instead of ${wanted.size}`)
      for (const group of told) {
        const sums = wanted.get(group["group"])
        const wrong = sums === undefined ? ["is no group of the model"] : wrongSums(group, sums)
        if (!isPriced(group)) findings.problem(`${what}: cost_usd is not cost_nanousd`)
        if (wrong.length > 0) findings.problem(`${what}: ${JSON.stringify(group["group"])}: ${wrong.join("; ")}`)
      }
    }
  }
}

/** Calls are told one a line, in the order of lists. */
const compareCalls = async (url: string, rows: ReadonlyArray<Json>, findings: Findings): Promise<void> => {
  for (const query of FILTERS.filter(({ job_type }) => job_type === undefined)) {
    const lines = (await (await ask(`${url}/api/v1/calls?${search(query)}`)).text()).split("\n")
    const told = objects(lines.filter((line) => line !== "").map((line) => JSON.parse(line)))
    const wanted = Stats.leaves(rows, query)
    const what = `calls of ${JSON.stringify(query)}`
    if (JSON.stringify(idsOf(told)) !== JSON.stringify(idsOf(wanted)))
      findings.problem(`${what}: ${told.length} calls, not the ${wanted.length} of the model`)
    const metrics = (calls: ReadonlyArray<Json>) => JSON.stringify(calls.map((call) => call["metrics_json"]))
    if (metrics(told) !== metrics(wanted)) findings.problem(`${what}: other metrics than those of their rows`)
  }
}

const counted = (rows: ReadonlyArray<Json>, name: string): Json => {
  const counts = new Map<string, number>()
  for (const row of rows) counts.set(String(row[name]), (counts.get(String(row[name])) ?? 0) + 1)
  return Object.fromEntries([...counts].sort(([left], [right]) => (left < right ? -1 : 1)))
}

const sorted = (value: unknown): string =>
  JSON.stringify(isObject(value) ? Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)) : value)

const compareNames = async (
  url: string,
  rows: ReadonlyArray<Json>,
  models: ReadonlyArray<RunsModel>,
  findings: Findings,
): Promise<void> => {
  const metrics: unknown = await (await ask(`${url}/metrics`)).json()
  const metadata: unknown = await (await ask(`${url}/api/v1/metadata`)).json()
  const kept = isObject(metrics) && isObject(metrics["performance"]) ? metrics["performance"] : {}
  const reports = models.flatMap((model) => [...model.reports.values()])
  const total = (name: string): number => reports.reduce((sum, report) => sum + (report[name] ?? 0), 0)
  const same = (what: string, told: unknown, wanted: unknown): void => {
    if (sorted(told) !== sorted(wanted)) findings.problem(`${what}: ${sorted(told)} instead of ${sorted(wanted)}`)
  }
  const agents = counted(rows, "agent_name")
  const jobs = counted(rows, "job_type")
  same("metrics: total_runs", isObject(metrics) && own(metrics, "total_runs"), rows.length)
  same("metrics: agents", isObject(metrics) && own(metrics, "agents"), agents)
  same("metrics: client_dropped", kept["client_dropped"], total("dropped"))
  same("metrics: client_dead_letters", kept["client_dead_letters"], total("dead_letters"))
  same(
    "metrics: pending_updates",
    kept["pending_updates"],
    models.reduce((sum, model) => sum + model.waiting, 0),
  )
  same("metadata: agent_names", isObject(metadata) && own(metadata, "agent_names"), Object.keys(agents))
  same("metadata: job_types", isObject(metadata) && own(metadata, "job_types"), Object.keys(jobs))
}

const compareEvents = async (url: string, models: ReadonlyArray<RunsModel>, findings: Findings): Promise<void> => {
  for (const model of models) {
    for (const runId of model.events.keys()) {
      const response = await fetch(`${url}${RUNS}/${encodeURIComponent(runId)}/events?limit=${PAGE}`)
      const total = response.headers.get("x-total-count") ?? undefined
      const problem = events(model, runId, { status: response.status, text: await response.text(), total })
      if (problem !== undefined) findings.problem(`events of ${runId}: ${problem}`)
    }
  }
}

/** Compares every row, event, name, list and sum of a server with what the models of its clients say. */
export const whole = async (
  url: string,
  models: ReadonlyArray<RunsModel>,
  findings: Findings,
): Promise<{ readonly rows: number; readonly differing: number }> => {
  const rows = await everyRow(url)
  const known = new Map(models.flatMap((model) => [...model.rows]))
  const there = new Set(idsOf(rows))
  let differing = 0
  const differ = (what: string): void => {
    differing += 1
    findings.problem(what)
  }
  for (const row of rows) {
    const eventId = String(row["event_id"])
    const model = known.get(eventId)
    const wrong = model === undefined ? ["nobody made it"] : differences(row, model)
    if (wrong.length > 0) differ(`row ${eventId}: ${wrong.join("; ")}`)
  }
  for (const eventId of known.keys()) if (!there.has(eventId)) differ(`row ${eventId} is not there`)
  if (there.size !== rows.length) differ(`${rows.length - there.size} rows are there twice`)
  if (!isOrdered(rows)) findings.problem("the pages do not come newest first")
  await compareLists(url, rows, findings)
  await compareStats(url, rows, findings)
  await compareCalls(url, rows, findings)
  await compareNames(url, rows, models, findings)
  await compareEvents(url, models, findings)
  return { rows: rows.length, differing }
}
