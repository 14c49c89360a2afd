/** Statements kept prepared: more than there are shapes of statements in use at a time. */
const MOST = 300

/** The statement of a text as it was prepared before; the oldest is let go when there are too many. */
export const remembering = <Statement>(prepare: (text: string) => Statement): ((text: string) => Statement) => {
  const known = new Map<string, Statement>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const statement = prepare(text)
    const oldest = known.size >= MOST ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
    known.set(text, statement)
    return statement
  }
}
