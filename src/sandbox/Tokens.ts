/** Characters that the sandbox counts as one token: near enough for English, and the same each time. No tokenizer. */
export const CHARACTERS = 4

/** Tokens of a text, at least one unless it is empty. */
export const count = (text: string): number => Math.ceil(text.length / CHARACTERS)

/** The beginning of a text of at most so many tokens; never half a surrogate pair. */
export const cut = (text: string, tokens: number): string => {
  const end = tokens * CHARACTERS
  const last = text.charCodeAt(end - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff && end < text.length ? end - 1 : end)
}
