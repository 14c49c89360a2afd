import { MINIMAL } from "../domain/Operation.js"

const [NAME, MINIMALLY] = MINIMAL.split("=")

/** A preference without its parameters: RFC 7240, section 2. Of two of one name the first one counts. */
const valueOf = (header: string): string | undefined => {
  for (const preference of header.split(",")) {
    const [name, value] = (preference.split(";")[0] ?? "").split("=")
    if (name?.trim().toLowerCase() === NAME)
      return value
        ?.trim()
        .replace(/^"(.*)"$/, "$1")
        .toLowerCase()
  }
  return undefined
}

/** Whether a request with this `Prefer` prefers to hear only what it needs to hear. */
export const isMinimal = (prefer: string | undefined): boolean => prefer !== undefined && valueOf(prefer) === MINIMALLY

/** Says that the preference was met. */
export const APPLIED: Readonly<Record<string, string>> = { "preference-applied": MINIMAL }
