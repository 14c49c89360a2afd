import * as ByteSize from "../domain/ByteSize.js"
import type { FolderPruned } from "../domain/FolderPruning.js"
import type { Pruned, StoreSize } from "../domain/Pruning.js"
import { inert } from "./Ansi.js"
import * as Figures from "./Figures.js"

/** What `prune` did, or would do. */
export interface PruneReport {
  /** The database; null when there is none. */
  readonly database: string | null
  readonly dry_run: boolean
  readonly pruned: Pruned
  /** How large the database is now; null when nothing was asked of it. */
  readonly size: StoreSize | null
  readonly folders: ReadonlyArray<FolderPruned>
}

const cost = ({ cost_nanousd, simulated_cost_nanousd }: Pruned): string => {
  const parts = [
    ...(cost_nanousd > 0 ? [Figures.dollars(cost_nanousd)] : []),
    ...(simulated_cost_nanousd > 0 ? [`${Figures.dollars(simulated_cost_nanousd)} simulated`] : []),
  ]
  return parts.length === 0 ? "" : `, ${parts.join(" + ")} that cost will not show any more`
}

const inDatabase = ({ database, dry_run, pruned, size }: PruneReport): ReadonlyArray<string> => {
  if (database === null) return []
  const goes = dry_run ? "would go" : "gone"
  const { runs, emptied_runs, rows, calls, events, bytes } = pruned
  const lines = [
    `${inert(database)}: ${Figures.plural(runs, "run")} ${goes} (${Figures.plural(rows, "row")}, ${Figures.plural(calls, "call")}, ${Figures.plural(events, "event")}), about ${ByteSize.format(bytes)}${cost(pruned)}`,
    ...(emptied_runs > 0
      ? [`  ${Figures.plural(emptied_runs, "run")} without texts and events; every figure stays`]
      : []),
  ]
  if (size === null) return lines
  const unshrunk =
    size.free_bytes > 0 && !size.can_shrink
      ? "; it was made by an older version and keeps its size until runledger prune --vacuum"
      : ""
  return [
    ...lines,
    `  the file takes ${ByteSize.format(size.file_bytes)}, ${ByteSize.format(size.free_bytes)} of it free${unshrunk}`,
  ]
}

const inFolders = ({ folders, dry_run }: PruneReport): ReadonlyArray<string> =>
  folders.map(
    ({ run_dir, bytes, kept }) =>
      `${inert(run_dir)}: ${kept === null ? `${dry_run ? "would go" : "gone"}, ${ByteSize.format(bytes)}` : `stays: ${inert(kept)}`}`,
  )

/** The report as people read it. */
export const inWords = (report: PruneReport): string => {
  const lines = [...inDatabase(report), ...inFolders(report)]
  return lines.length === 0 ? "There is nothing to prune." : lines.join("\n")
}
