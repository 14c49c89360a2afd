import { randomBytes } from "node:crypto"
import * as Layer from "effect/Layer"
import { IdGenerator, type IdGeneratorService } from "../services/IdGenerator.js"

const POOL_BYTES = 4096
const MAX_MILLIS = 2 ** 48 - 1
const COUNTER_LIMIT = 2 ** 26
const VARIANTS = "89ab"

type RandomHex = (digits: number) => string

/** Random hex digits, made in blocks: one system call and one conversion for some hundred ids. */
const makePool = (): RandomHex => {
  let pool = ""
  let next = 0
  return (digits) => {
    if (next + digits > pool.length) {
      pool = randomBytes(POOL_BYTES).toString("hex")
      next = 0
    }
    next += digits
    return pool.slice(next - digits, next)
  }
}

const nonZero = (random: RandomHex, digits: number): string => {
  const hex = random(digits)
  return /[^0]/.test(hex) ? hex : nonZero(random, digits)
}

/**
 * The instant of a UUIDv7 and a 26-bit counter behind it (12 bits in `rand_a`, 14 in `rand_b`), as RFC 9562 section 6.2
 * allows. The counter starts at random in its lower half each millisecond; a clock that steps back, or a counter that runs
 * out, goes on from the last instant given.
 */
const makeClock = (random: RandomHex) => {
  let millis = -1
  let counter = 0
  return (now: number): readonly [millis: number, counter: number] => {
    const instant = Number.isFinite(now) ? Math.min(MAX_MILLIS, Math.max(0, Math.floor(now))) : 0
    if (instant > millis) {
      millis = instant
      counter = Number.parseInt(random(7), 16) & (COUNTER_LIMIT / 2 - 1)
    } else if (++counter === COUNTER_LIMIT) {
      millis += 1
      counter = 0
    }
    return [millis, counter]
  }
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

const make = (): IdGeneratorService => {
  const random = makePool()
  const tick = makeClock(random)
  let timed = Number.NaN
  let prefix = ""
  return {
    unsafeEventId: (epochMillis) => {
      const [millis, counter] = tick(epochMillis)
      if (millis !== timed) {
        const time = hex(millis, 12)
        prefix = `${time.slice(0, 8)}-${time.slice(8)}`
        timed = millis
      }
      const variant = VARIANTS.charAt((counter >>> 12) & 3)
      return `${prefix}-7${hex(counter >>> 14, 3)}-${variant}${hex(counter & 0xfff, 3)}-${random(12)}`
    },
    unsafeSpanId: () => nonZero(random, 16),
    unsafeTraceId: () => nonZero(random, 32),
  }
}

/**
 * Random ids: UUIDv7 that sort in the order in which this process made them, spans and traces from the system's secure
 * randomness. Instants are those of the clock: one far in the future holds all later ids there.
 */
export const layer: Layer.Layer<IdGenerator> = Layer.sync(IdGenerator, make)
