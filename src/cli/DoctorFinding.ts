/** One thing that was looked at. A `fail` keeps Runledger from working; a `warn` does not. `mend` says what to do. */
export interface Finding {
  readonly check: string
  readonly result: "ok" | "warn" | "fail"
  readonly detail: string
  readonly mend: string | null
}

export const ok = (check: string, detail: string): Finding => ({ check, result: "ok", detail, mend: null })
export const warn = (check: string, detail: string, mend: string): Finding => ({ check, result: "warn", detail, mend })
export const fail = (check: string, detail: string, mend: string): Finding => ({ check, result: "fail", detail, mend })
