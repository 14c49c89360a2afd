import * as Effect from "effect/Effect"
import type { DraftManifest } from "../domain/Draft.js"
import type { ProductFacts } from "../domain/Facts.js"
import type { Inventory } from "../domain/Inventory.js"
import type { PagePlan } from "../domain/PagePlan.js"
import * as Artifacts from "./Artifacts.js"
import { type LedgerEntry, type LedgerTotals, totals } from "./CallLedger.js"

/** What a report is made of; what a run did not come to is absent. */
export interface ReportInput {
  readonly runId: string
  readonly source: string
  readonly sha: string
  readonly model: string
  readonly outcome: string
  readonly durationMs: number
  readonly calls: ReadonlyArray<LedgerEntry>
  readonly inventory?: Inventory | undefined
  readonly facts?: ProductFacts | undefined
  readonly plan?: PagePlan | undefined
  readonly manifest?: DraftManifest | undefined
  readonly notes: ReadonlyArray<string>
}

const count = (value: number): string => value.toLocaleString("en-US")
const usd = (value: number): string => `$${value.toFixed(value !== 0 && value < 0.01 ? 6 : 4)}`
const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)
const inline = (text: string): string => text.replace(/\s+/g, " ").replace(/[<>|]/g, "\\$&").slice(0, 300)

const money = (entry: LedgerEntry): string => {
  if (entry.costStatus === "replayed") return "replayed, free"
  if (entry.nanoUsd === null || entry.costStatus === "unpriced") return "unpriced"
  const amount = usd(entry.nanoUsd / 1e9)
  return entry.costStatus === "simulated" ? `${amount} simulated` : amount
}

/** What all calls cost, each kind of money by itself. */
export const spent = (sums: LedgerTotals): string => {
  const parts = [
    ...(sums.costStatus === "priced" || sums.costUsd !== 0
      ? [sums.costUsd === null ? [] : [`${usd(sums.costUsd)} real money`]]
      : []
    ).flat(),
    ...(sums.simulatedCalls > 0
      ? [`${usd(sums.simulatedCostUsd)} simulated (${count(sums.simulatedCalls)} calls)`]
      : []),
    ...(sums.replayedCalls > 0 ? [`${count(sums.replayedCalls)} calls replayed for free`] : []),
    ...(sums.unpricedCalls > 0 ? [`${count(sums.unpricedCalls)} calls of unknown price`] : []),
  ]
  return parts.length === 0 ? "nothing" : parts.join(", ")
}

const callLine = (entry: LedgerEntry): string => {
  const tokens = `${count(entry.inputTokens)} tokens in, ${count(entry.outputTokens)} out`
  const latency = entry.latencyMs === null ? [] : [seconds(entry.latencyMs)]
  const attempts = entry.attempts > 1 ? [`${entry.attempts} attempts`] : []
  const error = entry.error === null ? [] : [`**failed**: ${inline(entry.error)}`]
  return `    - \`${entry.callId}\`: ${[tokens, money(entry), ...latency, ...attempts, ...error].join(", ")}`
}

const tree = ({ calls, runId }: ReportInput): ReadonlyArray<string> => {
  const workers = [...new Set(calls.map((call) => call.worker))].sort()
  return [
    `- \`${runId}\`: ${count(calls.length)} calls, ${spent(totals(calls))}`,
    ...workers.flatMap((worker) => {
      const own = calls.filter((call) => call.worker === worker)
      const sums = totals(own)
      return [
        `  - ${worker}: ${count(own.length)} calls, ${count(sums.inputTokens)} tokens in, ${count(sums.outputTokens)} out, ${spent(sums)}`,
        ...own.toSorted((left, right) => (left.callId < right.callId ? -1 : 1)).map(callLine),
      ]
    }),
  ]
}

const factsPart = ({ facts, inventory }: ReportInput): ReadonlyArray<string> => {
  if (inventory === undefined) return []
  const languages = inventory.languages.slice(0, 5).map((each) => `${each.language} (${count(each.files)} files)`)
  const lines = [
    `- ${count(inventory.file_count)} text files, ${count(inventory.doc_files.length)} documents${languages.length === 0 ? "" : `; ${languages.join(", ")}`}`,
  ]
  if (facts === undefined) return ["## Sources", "", ...lines, ""]
  const byModel = facts.claims.filter((claim) => claim.enriched_by === "llm").length
  const kinds = ["feature", "workflow", "api", "format", "limitation"].map(
    (kind) => `${count(facts.claims.filter((claim) => claim.claim_kind === kind).length)} ${kind}`,
  )
  return [
    "## Sources",
    "",
    ...lines,
    `- ${count(facts.claims.length)} claims: ${kinds.join(", ")}; ${count(facts.claims.filter((claim) => claim.truth_status === "fact").length)} are facts, the others inferences`,
    `- ${count(byModel)} claims enriched by the model, ${count(facts.claims.length - byModel)} by rule`,
    `- ${count(facts.api_surface_summary.symbol_count)} exported names`,
    "",
  ]
}

const pagesPart = ({ manifest, plan }: ReportInput): ReadonlyArray<string> => {
  if (manifest === undefined) return []
  const rows = manifest.drafts.map(
    (draft) =>
      `| [${inline(draft.page.title)}](../${draft.draft_path}) | ${count(draft.word_count)} | ${count(draft.claim_count)} | ${draft.generated_by} | ${count(draft.issues.length)} |`,
  )
  const unplaced =
    plan === undefined || plan.unplaced_claims === 0
      ? []
      : [`${count(plan.unplaced_claims)} claims found no page: pages are kept short.`, ""]
  const issues = manifest.drafts.flatMap((draft) =>
    draft.issues.map((issue) => `- ${draft.page.section}/${draft.page.slug}: ${inline(issue.message)}`),
  )
  return [
    "## Pages",
    "",
    ...(rows.length === 0
      ? ["None: there was no claim to stand on."]
      : ["| Page | Words | Claims | Written by | Issues |", "|---|---|---|---|---|", ...rows]),
    "",
    ...unplaced,
    ...(issues.length === 0 ? [] : ["## Issues", "", ...issues, ""]),
  ]
}

/** `reports/summary.md`: how a run ended, what it called and paid, what it read and wrote. */
export const render = (input: ReportInput): string => {
  const sums = totals(input.calls)
  return [
    `# ${inline(input.inventory?.product_name ?? input.source)}: ${input.outcome}`,
    "",
    `- Run: \`${input.runId}\``,
    `- Source: ${inline(input.source)} at \`${input.sha.slice(0, 12)}\``,
    `- Model: \`${input.model}\``,
    `- Took ${seconds(input.durationMs)}`,
    `- ${count(sums.calls)} calls${sums.failed > 0 ? ` (${count(sums.failed)} failed)` : ""}, ${count(sums.inputTokens)} tokens in, ${count(sums.outputTokens)} out`,
    `- Cost: ${spent(sums)}`,
    "",
    "## Calls",
    "",
    ...(input.calls.length === 0 ? ["No model was asked."] : tree(input)),
    "",
    ...factsPart(input),
    ...pagesPart(input),
    ...(input.notes.length === 0 ? [] : ["## Notes", "", ...input.notes.map((note) => `- ${inline(note)}`), ""]),
  ].join("\n")
}

/** Writes the report and records it. */
export const write = (input: ReportInput) =>
  Effect.asVoid(
    Artifacts.write({
      name: "summary",
      path: "reports/summary.md",
      text: render(input),
      schemaId: null,
      worker: "launch.orchestrator",
    }),
  )
