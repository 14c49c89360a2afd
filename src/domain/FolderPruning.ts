/** What became of one run folder, or would become of it. */
export interface FolderPruned {
  readonly run_id: string
  readonly run_dir: string
  readonly bytes: number
  /** When its log was last written. */
  readonly last_written: string
  readonly removed: boolean
  /** Why it stays; null when it goes. */
  readonly kept: string | null
}

/** Which run folders are to go. */
export interface FolderGoal {
  /** Those whose log was last written before this instant. */
  readonly before: string | null
  /** The oldest, until all together take at most so many bytes. */
  readonly toBytes: number | null
  readonly dryRun: boolean
  /** Also those with events that no server has. Never those that have a living owner. */
  readonly force: boolean
}
