/** Where the memory has no room for more, it grows by half: what was written is then copied once. */
const GROWTH = 1.5

/** Bytes that one UTF-16 unit takes at most. */
const WIDEST = 3

/** JSON in UTF-8 as it is put together, in memory of its own: texts gather until bytes come between them. */
export class JsonBytes {
  private whole: Buffer<ArrayBuffer>
  private end = 0
  private pending = ""

  /** `room` is how many bytes are expected; what is not written takes no memory. */
  constructor(room: number) {
    this.whole = Buffer.from(new ArrayBuffer(room))
  }

  /** How large it is: less only by what the last characters take beyond one byte each. */
  get length(): number {
    return this.end + this.pending.length
  }

  text(text: string): void {
    this.pending += text
  }

  bytes(bytes: Uint8Array): void {
    this.flush()
    this.reserve(bytes.length)
    this.whole.set(bytes, this.end)
    this.end += bytes.length
  }

  /** All that was written; nothing may follow. */
  done(): Uint8Array<ArrayBuffer> {
    this.flush()
    return this.whole.subarray(0, this.end)
  }

  private flush(): void {
    if (this.pending === "") return
    this.reserve(this.pending.length * WIDEST)
    this.end += this.whole.write(this.pending, this.end, "utf8")
    this.pending = ""
  }

  private reserve(bytes: number): void {
    const needed = this.end + bytes
    if (needed <= this.whole.length) return
    const larger = Buffer.from(new ArrayBuffer(Math.ceil(needed * GROWTH)))
    larger.set(this.whole.subarray(0, this.end))
    this.whole = larger
  }
}
