/** What a trace of system calls says of acknowledgements and of the log that they rest on. */
export interface Proof {
  /** Good answers that went out to writes. */
  readonly acknowledgements: number
  /** Of these, those whose transactions lay in the log, and the log on the disk, before the answer went out. */
  readonly synced: number
  /** The most answers that one sync of the log carried. */
  readonly widest: number
  /** Whole transactions that were written to the log. */
  readonly transactions: number
  /** What was wrong with the first answers that were not synced. */
  readonly problems: ReadonlyArray<string>
}

interface Call {
  readonly name: string
  /** What `strace -y` shows of the first argument's descriptor. */
  readonly target: string
  readonly text: string
  readonly result: number
  /** Line numbers at which it began and ended. */
  readonly from: number
  readonly to: number
}

interface Transaction {
  readonly marks: ReadonlySet<string>
  /** The line at which the last write of it to the log had ended. */
  readonly written: number
}

const LINE = /^(\d+)\s+(.*)$/s
const BEGUN = /^(.*) <unfinished \.\.\.>$/s
const RESUMED = /^<\.\.\. \w+ resumed>(.*)$/s
const CALL = /^(\w+)\((-?\d+)<(.*?)>(?:\(deleted\))?(?:, |\))(.*)$/s
const RESULT = /= (-?\d+)(?: .*)?$/
const MARK = /mark-\d{10}\./g
const QUOTED = /"((?:[^"\\]|\\.)*)"/s
const WAL = /-wal$/
const SOCKET = /^(?:TCP|TCPv6|socket)/
const FRAME_HEADER = 24
const MOST_PROBLEMS = 5

const ESCAPES: Readonly<Record<string, number>> = { n: 10, t: 9, r: 13, v: 11, f: 12, '"': 34, "\\": 92 }

/** The bytes that a quoted text of strace stands for. */
const bytesOf = (quoted: string): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  for (let at = 0; at < quoted.length; at++) {
    if (quoted[at] !== "\\") {
      bytes.push(quoted.charCodeAt(at))
      continue
    }
    const octal = /^[0-7]{1,3}/.exec(quoted.slice(at + 1, at + 4))?.[0]
    bytes.push(octal === undefined ? (ESCAPES[quoted[at + 1] ?? ""] ?? 0) : Number.parseInt(octal, 8))
    at += octal?.length ?? 1
  }
  return bytes
}

const marksIn = (text: string): ReadonlyArray<string> => text.match(MARK) ?? []

/** The size of the database after a commit, as the header of a frame says it; 0 in the middle of a transaction. */
const commitSize = (quoted: string): number => {
  const [a = 0, b = 0, c = 0, d = 0] = bytesOf(quoted).slice(4, 8)
  return ((a * 256 + b) * 256 + c) * 256 + d
}

/** Puts the halves of calls together that other threads' calls interrupted. */
const calls = async function* (lines: AsyncIterable<string>): AsyncIterable<Call> {
  const unfinished = new Map<string, { readonly text: string; readonly from: number }>()
  let at = 0
  for await (const line of lines) {
    at += 1
    const [, thread = "", said = ""] = LINE.exec(line) ?? []
    const begun = BEGUN.exec(said)?.[1]
    if (begun !== undefined) {
      unfinished.set(thread, { text: begun, from: at })
      continue
    }
    const resumed = RESUMED.exec(said)?.[1]
    const before = resumed === undefined ? undefined : unfinished.get(thread)
    if (resumed !== undefined) unfinished.delete(thread)
    const whole = resumed === undefined ? said : `${before?.text ?? ""}${resumed}`
    const call = CALL.exec(whole)
    const result = RESULT.exec(whole.slice(-200))?.[1]
    if (call === null || result === undefined) continue
    const [, name = "", , target = "", text = ""] = call
    yield { name, target, text, result: Number(result), from: before?.from ?? at, to: at }
  }
}

class Judge {
  /** The marks of requests that were read and not yet answered, by connection. */
  readonly #asked = new Map<string, Set<string>>()
  readonly #transactionOf = new Map<string, Transaction>()
  readonly #carried = new Map<number, number>()
  #open = new Set<string>()
  #commits = false
  #syncs: Array<{ readonly from: number; readonly to: number }> = []
  #acknowledgements = 0
  #synced = 0
  #transactions = 0
  readonly #problems: Array<string> = []

  see(call: Call): void {
    if (WAL.test(call.target)) this.#log(call)
    else if (SOCKET.test(call.target)) this.#talk(call)
  }

  #log({ name, text, result, from, to }: Call): void {
    if (name === "fsync" || name === "fdatasync") {
      if (result === 0) this.#syncs.push({ from, to })
      return
    }
    const quoted = QUOTED.exec(text)?.[1]
    if (!name.includes("write") || quoted === undefined || result <= 0) return
    if (result === FRAME_HEADER) this.#commits = commitSize(quoted) > 0
    for (const mark of marksIn(quoted)) this.#open.add(mark)
    if (result <= 32 || !this.#commits) return
    this.#transactions += 1
    const transaction = { marks: this.#open, written: to }
    // A page is written again with what older transactions put on it: the first one is the one that counts.
    for (const mark of this.#open) if (!this.#transactionOf.has(mark)) this.#transactionOf.set(mark, transaction)
    this.#open = new Set()
    this.#commits = false
  }

  #talk({ name, target, text, from }: Call): void {
    const asked = this.#asked.get(target) ?? new Set<string>()
    this.#asked.set(target, asked)
    if (name.startsWith("read") || name.startsWith("recv")) {
      for (const mark of marksIn(text)) asked.add(mark)
      return
    }
    const isAnswer = /HTTP\/1\.1 \d/.test(text)
    if (!isAnswer || asked.size === 0) return
    if (/HTTP\/1\.1 2/.test(text)) this.#acknowledged(asked, from)
    asked.clear()
  }

  #acknowledged(marks: ReadonlySet<string>, from: number): void {
    this.#acknowledgements += 1
    const sync = this.#syncs.findLast((one) => one.to < from)
    const late = [...marks].filter((mark) => {
      const transaction = this.#transactionOf.get(mark)
      return transaction === undefined || !this.#syncs.some((one) => one.from > transaction.written && one.to < from)
    })
    if (late.length === 0 && sync !== undefined) {
      this.#synced += 1
      this.#carried.set(sync.from, (this.#carried.get(sync.from) ?? 0) + 1)
    } else if (this.#problems.length < MOST_PROBLEMS) {
      const where = late.map((mark) => `${mark} ${this.#transactionOf.has(mark) ? "not synced" : "not in the log"}`)
      this.#problems.push(`the answer at line ${from} went out before its rows were safe: ${where.join(", ")}`)
    }
    // Syncs of long ago carry nothing any more, and a trace is long.
    if (this.#syncs.length > 2000) this.#syncs = this.#syncs.slice(-1000)
  }

  proof(): Proof {
    return {
      acknowledgements: this.#acknowledgements,
      synced: this.#synced,
      widest: Math.max(0, ...this.#carried.values()),
      transactions: this.#transactions,
      problems: this.#problems,
    }
  }
}

/**
 * Reads what `strace -f -yy -s 65536` wrote of a server whose clients put a mark (`mark-` and ten digits and a dot) that is
 * never used twice into every write. An acknowledgement is synced when the first transaction in the write-ahead log that
 * bears its marks was written whole, and a sync of the log that began after that had ended before the answer was sent.
 */
export const prove = async (lines: AsyncIterable<string>): Promise<Proof> => {
  const judge = new Judge()
  for await (const call of calls(lines)) judge.see(call)
  return judge.proof()
}
