import * as Schema from "effect/Schema"
import { startOfDay } from "./PriceTable.js"

const DAY_MILLIS = 86_400_000

/** Providers change their prices a few times a year: after so many days a table is worth a look. */
export const OLD_AFTER_DAYS = 60

/** How old a table of prices is: on which day (`YYYY-MM-DD`) its rates were last read, and how many days ago that is. */
export const PriceAge = Schema.Struct({
  read_on: Schema.String,
  age_days: Schema.NonNegativeInt,
  is_old: Schema.Boolean,
}).annotations({ identifier: "PriceAge" })
export type PriceAge = typeof PriceAge.Type

/** The age of a table at an instant (epoch ms). A day that is no day, as of a table without rates, is null. */
export const of = (readOn: string, nowMillis: number, oldAfterDays = OLD_AFTER_DAYS): PriceAge | null => {
  const read = startOfDay(readOn)
  if (Number.isNaN(read)) return null
  const age = Math.max(0, Math.floor((nowMillis - read) / DAY_MILLIS))
  return { read_on: readOn, age_days: age, is_old: age > oldAfterDays }
}

/** What people are told of a table that is old; null while it is not. */
export const badge = (age: PriceAge | null): string | null =>
  age === null || !age.is_old
    ? null
    : `Prices were last read on ${age.read_on}, ${age.age_days} days ago: they may have changed. A newer Runledger has newer ones, and so may your price file (runledger prices update FILE).`
