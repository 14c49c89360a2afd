const SLOTS = 2 ** 26
const SLOTS_A_BYTE = 4

/** FNV-1a. */
const slotOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % SLOTS
}

/** Which of many texts came more than once, in memory that does not grow. */
export interface SeenTwice {
  readonly add: (text: string) => void
  /** True for every text that came twice, and now and then for one that shares its place with another. */
  readonly maybe: (text: string) => boolean
  /** About how many texts came twice. */
  readonly count: () => number
}

/** Takes 16 MiB. Each text has one of 67 million places, which knows "never", "once" and "more often". */
export const make = (): SeenTwice => {
  const seen = new Uint8Array(SLOTS / SLOTS_A_BYTE)
  let twice = 0
  const levelAt = (slot: number): number =>
    ((seen[Math.floor(slot / SLOTS_A_BYTE)] ?? 0) >> (2 * (slot % SLOTS_A_BYTE))) & 3
  return {
    add: (text) => {
      const slot = slotOf(text)
      const level = levelAt(slot)
      if (level >= 2) return
      if (level === 1) twice += 1
      const byte = Math.floor(slot / SLOTS_A_BYTE)
      seen[byte] = (seen[byte] ?? 0) + (1 << (2 * (slot % SLOTS_A_BYTE)))
    },
    maybe: (text) => levelAt(slotOf(text)) >= 2,
    count: () => twice,
  }
}

/** One of `parts` into which texts fall by their own letters. */
export const partOf = (text: string, parts: number): number => slotOf(`${text}.`) % parts
