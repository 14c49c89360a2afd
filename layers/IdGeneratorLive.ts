import { randomFillSync } from "node:crypto"
import * as Layer from "effect/Layer"
import { IdGenerator, type IdGeneratorService } from "../services/IdGenerator.js"

const POOL_BYTES = 8192
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"))
const MAX_MILLIS = 2 ** 48 - 1
const COUNTER_BITS = 24
const COUNTER_LIMIT = 2 ** COUNTER_BITS

const hexOf = (byte: number): string => HEX[byte & 0xff] ?? "00"

/** Random bytes fetched in blocks: one system call for some hundred ids. */
const makePool = () => {
  const bytes = new Uint8Array(POOL_BYTES)
  let next = POOL_BYTES
  return (): number => {
    if (next === POOL_BYTES) {
      randomFillSync(bytes)
      next = 0
    }
    return bytes[next++] ?? 0
  }
}

const randomHex = (byte: () => number, count: number): string => {
  let hex = ""
  for (let index = 0; index < count; index++) hex += hexOf(byte())
  return hex
}

const nonZeroHex = (byte: () => number, count: number): string => {
  const hex = randomHex(byte, count)
  return /[^0]/.test(hex) ? hex : nonZeroHex(byte, count)
}

/**
 * The clock part of a UUIDv7 and a 24-bit counter behind it (12 bits in `rand_a`, 12 in `rand_b`), as RFC 9562 section 6.2
 * allows. The counter starts at random in its lower half each millisecond; a clock that steps back, or a counter that runs
 * out, goes on from the last instant given.
 */
const makeClock = (byte: () => number) => {
  let millis = -1
  let counter = 0
  return (now: number): readonly [millis: number, counter: number] => {
    const instant = Number.isFinite(now) ? Math.min(MAX_MILLIS, Math.max(0, Math.floor(now))) : 0
    if (instant > millis) {
      millis = instant
      counter = ((byte() << 16) | (byte() << 8) | byte()) & (COUNTER_LIMIT / 2 - 1)
    } else if (++counter === COUNTER_LIMIT) {
      millis += 1
      counter = 0
    }
    return [millis, counter]
  }
}

const make = (): IdGeneratorService => {
  const byte = makePool()
  const tick = makeClock(byte)
  return {
    unsafeEventId: (epochMillis) => {
      const [millis, counter] = tick(epochMillis)
      const time = millis.toString(16).padStart(12, "0")
      const high = (counter >>> 12).toString(16).padStart(3, "0")
      const low = counter & 0xfff
      // Variant bits, then the counter's lower 12, then 50 random ones.
      const variant = hexOf(0x80 | (low >>> 6)) + hexOf(((low & 0x3f) << 2) | (byte() & 3))
      return `${time.slice(0, 8)}-${time.slice(8)}-7${high}-${variant}-${randomHex(byte, 6)}`
    },
    unsafeSpanId: () => nonZeroHex(byte, 8),
    unsafeTraceId: () => nonZeroHex(byte, 16),
  }
}

/**
 * Random ids: UUIDv7 that sort in the order in which this process made them, spans and traces from the system's secure
 * randomness. Instants are those of the clock: one far in the future holds all later ids there.
 */
export const layer: Layer.Layer<IdGenerator> = Layer.sync(IdGenerator, make)
