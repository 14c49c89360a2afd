import * as Option from "effect/Option"

const POWERS: ReadonlyArray<string> = ["", "k", "m", "g", "t"]
const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?$/i

/**
 * Bytes as people write them: `500MB`, `2 GiB`, `64k`, `1048576`. `MB` is a million, `MiB` is 1024 × 1024, a letter alone counts
 * in steps of 1024. None for anything else, for less than one byte, and beyond what a number holds exactly.
 */
export const parse = (text: string): Option.Option<number> => {
  const [whole, amount = "", letter = "", binary = ""] = SIZE.exec(text.trim()) ?? []
  if (whole === undefined) return Option.none()
  const power = POWERS.indexOf(letter.toLowerCase())
  const isDecimal = power > 0 && binary === "" && /b$/i.test(whole)
  if (power === 0 && binary !== "") return Option.none()
  const bytes = Math.round(Number(amount) * (isDecimal ? 1000 : 1024) ** power)
  return Number.isSafeInteger(bytes) && bytes > 0 ? Option.some(bytes) : Option.none()
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const

/** Bytes as people read them: `1.5 GiB`. */
export const format = (bytes: number): string => {
  const step = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${UNITS[step]}`
}
