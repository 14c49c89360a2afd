import * as Option from "effect/Option"

const MILLIS = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
} as const

const AGE =
  /^(\d+(?:\.\d+)?)\s*(?:(s)(?:ec(?:ond)?s?)?|(m)(?:in(?:ute)?s?)?|(h)(?:ours?)?|(d)(?:ays?)?|(w)(?:eeks?)?)$/i

/** How long ago, in milliseconds: `30d`, `12 hours`, `2w`. None for anything else, such as a number without its unit. */
export const parse = (text: string): Option.Option<number> => {
  const found = AGE.exec(text.trim())
  if (found === null) return Option.none()
  const letter = found
    .slice(2)
    .find((one) => one !== undefined)
    ?.toLowerCase()
  const millis = Object.entries(MILLIS).find(([unit]) => unit === letter)?.[1]
  const age = millis === undefined ? Number.NaN : Math.round(Number(found[1]) * millis)
  return Number.isSafeInteger(age) ? Option.some(age) : Option.none()
}
