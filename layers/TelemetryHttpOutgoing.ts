import type { OperationResult } from "../src/domain/Operation.js"
import * as Batch from "./TelemetryHttpBatch.js"

/** An operation that will never be taken, and why. */
export interface Refusal {
  readonly op: Batch.Encoded["op"]
  readonly eventId: string
  /** The event of the window that it stands for. */
  readonly event: number
  /** The HTTP status, when it was the answer to a whole request. */
  readonly status: number | null
  readonly reason: string
  /** The operation as it would be sent; null when it cannot be written as JSON. */
  readonly json: string | null
}

/** What to do after a 500. */
export interface Verdict {
  readonly refusals: ReadonlyArray<Refusal>
  /** True when nothing was accepted since the last 500: it may be the server, which is to be left alone for a while. */
  readonly pause: boolean
}

/** Operations on their way, in order: what comes next, and what an answer to it means for the rest. */
export interface Outgoing {
  /** What the next request bears: the same until it is answered; nothing when all is answered for. */
  readonly batch: () => ReadonlyArray<Batch.Encoded>
  /** More of it, behind the rest. What is too large for any request comes back. */
  readonly add: (operations: ReadonlyArray<Batch.Encoded>) => ReadonlyArray<Refusal>
  /** The batch was taken, with one result an operation; null where there is nothing to say. */
  readonly accepted: (results: ReadonlyArray<OperationResult | null>) => ReadonlyArray<Refusal>
  /** The batch was refused for good: it is halved, until the culprit stands alone and comes back. */
  readonly refused: (status: number, detail: string) => ReadonlyArray<Refusal>
  /**
   * The batch made the server fail. After {@link SUSPICIOUS} times it is halved to find the culprit; that waits until its
   * neighbours got through, and comes back when it has failed alone so many times and others were accepted in between.
   */
  readonly serverError: (detail: string) => Verdict
  /** True when all that is left waits for neighbours to be told apart from a broken server. */
  readonly needsNeighbours: () => boolean
}

/** So many 500s in a row for the same operations are no accident. */
export const SUSPICIOUS = 3

/** When so many operations fail alone it is the server. */
const MOST_CULPRITS = 16

interface Chunk {
  readonly operations: ReadonlyArray<Batch.Encoded>
  /** 500s for exactly these operations. */
  readonly errors: number
  /** It is a part of a batch that made the server fail again and again. */
  readonly suspect: boolean
  /** Others were accepted since. */
  readonly othersAccepted: boolean
}

const fresh = (operations: ReadonlyArray<Batch.Encoded>): ReadonlyArray<Chunk> =>
  operations.length === 0 ? [] : [{ operations, errors: 0, suspect: false, othersAccepted: false }]

const halves = (chunk: Chunk, at: number): ReadonlyArray<Chunk> => [
  { ...chunk, operations: chunk.operations.slice(0, at), errors: 0 },
  { ...chunk, operations: chunk.operations.slice(at), errors: 0 },
]

const half = (chunk: Chunk): ReadonlyArray<Chunk> => halves(chunk, Math.ceil(chunk.operations.length / 2))

const refusal = ({ op, eventId, event, json }: Batch.Encoded, status: number | null, reason: string): Refusal => ({
  op,
  eventId,
  event,
  json,
  status,
  reason,
})

/** What a window says of an operation that is no JSON. */
export const unencodable = ({ op, eventId, event, why }: Batch.Unencodable): Refusal => ({
  op,
  eventId,
  event,
  status: null,
  reason: why,
  json: null,
})

const separated = (placed: ReadonlyArray<Batch.Placed>) => {
  const { operations, unencodable: misfits } = Batch.separate(placed.map(Batch.encode))
  return { operations, refusals: misfits.map(unencodable) }
}

/** Takes apart what is too large for a request together, and gives back what is too large alone. */
const withinLimits = (
  operations: ReadonlyArray<Batch.Encoded>,
): { readonly operations: ReadonlyArray<Batch.Encoded>; readonly refusals: ReadonlyArray<Refusal> } => {
  if (operations.every(({ bytes }) => bytes <= Batch.MAX_SINGLE_BYTES)) return { operations, refusals: [] }
  const refusals: Array<Refusal> = []
  const kept = operations.flatMap((operation): ReadonlyArray<Batch.Encoded> => {
    if (operation.bytes <= Batch.MAX_SINGLE_BYTES) return [operation]
    if (operation.plain === undefined) {
      const limits = `it has ${operation.bytes} bytes, more than the ${Batch.MAX_SINGLE_BYTES} that one request can bear`
      refusals.push(refusal(operation, null, limits))
      return []
    }
    const apart = separated([operation.plain.create, ...operation.plain.updates])
    const within = withinLimits(apart.operations)
    refusals.push(...apart.refusals, ...within.refusals)
    return within.operations
  })
  return { operations: kept, refusals }
}

/** Nothing on its way yet. */
export const make = (): Outgoing => {
  let chunks: ReadonlyArray<Chunk> = []
  let accepted = false

  /** The plain operations of something that was sent together, before all that is left. */
  const unfold = (placed: ReadonlyArray<Batch.Placed>, suspect = false, othersAccepted = false) => {
    const apart = separated(placed)
    const within = withinLimits(apart.operations)
    chunks = [...fresh(within.operations).map((chunk) => ({ ...chunk, suspect, othersAccepted })), ...chunks]
    return [...apart.refusals, ...within.refusals]
  }

  /** Behind its neighbours, but for those that change the same row: they stay behind it. */
  const defer = (culprit: Chunk, rest: ReadonlyArray<Chunk>): ReadonlyArray<Chunk> => {
    const [operation] = culprit.operations
    const follows = ({ op, eventId }: Batch.Encoded) => op !== "event" && eventId === operation?.eventId
    if (operation === undefined || operation.op === "event") return [...rest, culprit]
    const before = rest.flatMap((chunk) => {
      const operations = chunk.operations.filter((other) => !follows(other))
      return operations.length === 0 ? [] : [{ ...chunk, operations }]
    })
    const after = rest.flatMap(({ operations }) => operations.filter(follows))
    return [...before, culprit, ...fresh(after)]
  }

  const aloneRefused = (chunk: Chunk, status: number, reason: string): ReadonlyArray<Refusal> => {
    const [operation] = chunk.operations
    chunks = chunks.slice(1)
    if (operation === undefined) return []
    if (operation.plain !== undefined) {
      return unfold([operation.plain.create, ...operation.plain.updates], chunk.suspect, chunk.othersAccepted)
    }
    return [refusal(operation, status, reason)]
  }

  return {
    batch: () => {
      const [first, ...others] = chunks
      if (first === undefined) return []
      const count = Batch.fitting(first.operations)
      if (count < first.operations.length) chunks = [...halves(first, count), ...others]
      return chunks[0]?.operations ?? []
    },
    add: (operations) => {
      const within = withinLimits(operations)
      chunks = [...chunks, ...fresh(within.operations)]
      accepted = false
      return within.refusals
    },
    accepted: (results) => {
      const [first, ...others] = chunks
      if (first === undefined) return []
      accepted = true
      chunks = others.map((chunk) => (chunk.suspect ? { ...chunk, othersAccepted: true } : chunk))
      const again: Array<Batch.Placed> = []
      const refusals: Array<Refusal> = []
      first.operations.forEach((operation, index) => {
        const result = results[index]
        if (result?.status === "error") {
          if (operation.plain !== undefined) again.push(operation.plain.create, ...operation.plain.updates)
          else refusals.push(refusal(operation, null, result.detail ?? "no reason given"))
        } else if (result?.status === "duplicate" && operation.plain !== undefined) {
          again.push(...operation.plain.updates)
        }
      })
      return [...refusals, ...unfold(again)]
    },
    refused: (status, detail) => {
      const [first, ...others] = chunks
      if (first === undefined) return []
      if (first.operations.length === 1) return aloneRefused(first, status, detail)
      chunks = [...half(first), ...others]
      return []
    },
    serverError: (detail) => {
      const [first, ...others] = chunks
      const pause = !accepted
      accepted = false
      if (first === undefined) return { refusals: [], pause }
      const failed = { ...first, errors: first.errors + 1 }
      const [operation] = failed.operations
      if (failed.operations.length > 1) {
        const isSuspect = failed.suspect || failed.errors >= SUSPICIOUS
        chunks = isSuspect ? [...half({ ...failed, suspect: true }), ...others] : [failed, ...others]
        return { refusals: [], pause }
      }
      if (failed.errors >= SUSPICIOUS && (operation?.plain !== undefined || failed.othersAccepted)) {
        const reason = `${detail}, ${failed.errors} times alone, while others were accepted`
        return { refusals: aloneRefused({ ...failed, suspect: true }, 500, reason), pause }
      }
      chunks = defer({ ...failed, suspect: true }, others)
      return { refusals: [], pause }
    },
    needsNeighbours: () =>
      chunks.length > 0 &&
      chunks.length <= MOST_CULPRITS &&
      chunks.every(
        ({ operations, errors, othersAccepted }) => operations.length === 1 && errors > 0 && !othersAccepted,
      ),
  }
}
