/** What a look over the bytes of a body of operations found, before it is parsed. */
export interface Scan {
  /** How deep arrays and objects nest. */
  readonly depth: number
  /** Whether some number may be beyond the range of a double. */
  readonly hasOddNumber: boolean
  /** From which byte to which the `event` of the n-th operation goes; undefined where that is not certain. */
  readonly eventAt: (operation: number) => readonly [from: number, to: number] | undefined
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b
const CLOSE_OBJECT = 0x7d
const CLOSE_ARRAY = 0x5d
const COLON = 0x3a
const COMMA = 0x2c
const UPPER_E = 0x45
const LOWER_E = 0x65
const NINE = 0x39

/** The longest number that is surely a double, with the white space around it. */
const LONGEST_NUMBER = 300

const BODY = 1
const LIST = 2
const OPERATION = 3

const OPS = Buffer.from("ops")
const EVENT = Buffer.from("event")

const isWord = (bytes: Uint8Array, from: number, to: number, word: Uint8Array): boolean =>
  to - from === word.length && word.every((byte, index) => bytes[from + index] === byte)

class Scanner {
  depth = 0
  deepest = 0
  hasOddNumber = false
  readonly spans: Array<readonly [number, number] | undefined> = []
  /** A name with an escape may mean anything, so nothing is certain of what follows it. */
  private isUncertain = false
  private isInOps = false
  private isInEvent = false
  private operation = 0
  private from = 0
  private stringFrom = 0
  private stringTo = 0
  private isEscaped = false
  private last = 0
  private readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  run(): void {
    const { bytes } = this
    const { length } = bytes
    for (let at = 0; at < length; at += 1) {
      const byte = bytes[at]
      if (byte === QUOTE) at = this.string(at + 1)
      else if (byte === COMMA) this.comma(at)
      else if (byte === COLON) this.colon(at)
      else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) this.open(at)
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) this.close(at)
      else if (byte === LOWER_E || byte === UPPER_E) {
        if ((bytes[at - 1] ?? 0) <= NINE) this.hasOddNumber = true
      }
    }
  }

  /** The byte at which a string ends. */
  private string(from: number): number {
    const { bytes } = this
    const { length } = bytes
    let at = from
    let isEscaped = false
    while (at < length) {
      const byte = bytes[at]
      if (byte === QUOTE) break
      if (byte === BACKSLASH) {
        isEscaped = true
        at += 1
      }
      at += 1
    }
    this.stringFrom = from
    this.stringTo = at
    this.isEscaped = isEscaped
    this.last = at
    return at
  }

  private number(at: number): void {
    if (at - this.last > LONGEST_NUMBER) this.hasOddNumber = true
    this.last = at
  }

  private comma(at: number): void {
    this.number(at)
    if (this.depth === LIST && this.isInOps) this.operation += 1
    else if (this.depth === OPERATION) this.isInEvent = false
  }

  private colon(at: number): void {
    this.last = at
    if (this.depth !== BODY && this.depth !== OPERATION) return
    if (this.isEscaped) this.isUncertain = true
    if (this.depth === BODY) {
      this.isInOps = isWord(this.bytes, this.stringFrom, this.stringTo, OPS)
      if (this.isInOps) {
        this.operation = 0
        this.spans.length = 0
      }
    } else if (this.isInOps) this.isInEvent = isWord(this.bytes, this.stringFrom, this.stringTo, EVENT)
  }

  private open(at: number): void {
    this.last = at
    if (this.depth === OPERATION && this.isInEvent) this.from = at
    this.depth += 1
    if (this.depth > this.deepest) this.deepest = this.depth
  }

  private close(at: number): void {
    this.number(at)
    this.depth -= 1
    if (this.depth < OPERATION) this.isInEvent = false
    if (this.depth !== OPERATION || !this.isInEvent) return
    this.spans[this.operation] = this.isUncertain ? undefined : [this.from, at + 1]
    this.isInEvent = false
  }

  eventAt(operation: number): readonly [number, number] | undefined {
    return this.isUncertain ? undefined : this.spans[operation]
  }
}

/**
 * Looks once over a body that should be `{"ops": [{…, "event": {…}}, …]}`. Of a body that is not JSON, or not of that shape,
 * it says nothing that holds: parse it, and ask only about operations that have an `event`.
 */
export const scan = (bytes: Uint8Array): Scan => {
  const scanner = new Scanner(bytes)
  scanner.run()
  return {
    depth: scanner.deepest,
    hasOddNumber: scanner.hasOddNumber,
    eventAt: (operation) => scanner.eventAt(operation),
  }
}
