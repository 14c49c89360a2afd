/** JSON in UTF-8 that stands in memory of its own, so that it can change threads without being copied. */
export type Bytes = Uint8Array<ArrayBuffer>

/** An answer that would be larger than one may be: asking again gives the same. */
export class TooLarge extends Error {}

/** Characters that are joined before they become bytes: one text of all would end where texts may not grow further. */
const CHARACTERS_AT_ONCE = 1024 * 1024

const encoder = new TextEncoder()

/** A text as bytes. */
export const bytes = (text: string): Bytes => encoder.encode(text)

/** The rows of a page as they are put together, a separator between each two; never one text. */
export class PageBytes {
  rows = 0
  private readonly separator: string
  private readonly parts: Array<Bytes> = []
  private ended = 0
  private pending: Array<string> = []
  private characters = 0

  constructor(separator: string) {
    this.separator = separator
  }

  /** How large it is: never more than it will be, and less only by what the last characters take beyond one byte each. */
  get length(): number {
    return this.ended + this.characters
  }

  row(text: string): void {
    const separated = this.rows === 0 ? text : `${this.separator}${text}`
    this.rows += 1
    this.pending.push(separated)
    this.characters += separated.length
    if (this.characters >= CHARACTERS_AT_ONCE) this.flush()
  }

  /** All rows; none may follow. */
  done(): Bytes {
    this.flush()
    const [only] = this.parts
    if (this.parts.length === 1 && only !== undefined) return only
    const whole = new Uint8Array(this.ended)
    let end = 0
    for (const part of this.parts) {
      whole.set(part, end)
      end += part.length
    }
    return whole
  }

  private flush(): void {
    const part = bytes(this.pending.join(""))
    this.parts.push(part)
    this.ended += part.length
    this.pending = []
    this.characters = 0
  }
}
