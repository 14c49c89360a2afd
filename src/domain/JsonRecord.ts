/** A JSON object whose members nobody has looked at. */
export type Json = Readonly<Record<string, unknown>>

/** The same record when nothing in it is undefined: this runs for every event of a backlog. */
export const withoutUndefined = (record: Json): Json => {
  const names = Object.keys(record)
  if (names.every((name) => record[name] !== undefined)) return record
  const kept: Record<string, unknown> = {}
  for (const name of names) if (record[name] !== undefined) kept[name] = record[name]
  return kept
}
