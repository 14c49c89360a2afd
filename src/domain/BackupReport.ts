/** What a backup holds. */
export interface BackupReport {
  readonly file: string
  readonly bytes: number
  readonly rows: number
  readonly events: number
}
