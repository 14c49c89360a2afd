/** What a full look into a database found. */
export interface DatabaseReport {
  /** The version of SQLite that looked. */
  readonly sqlite: string
  /** What does not hold; nothing when all does. */
  readonly problems: ReadonlyArray<string>
  /** Whether the room of what is removed can go back to the disk. */
  readonly canShrink: boolean
}
