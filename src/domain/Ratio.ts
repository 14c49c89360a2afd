import * as Schema from "effect/Schema"

/** An exact factor of money: two integers in lowest terms, never a float. */
export const Ratio = Schema.Struct({
  numerator: Schema.NonNegativeInt,
  denominator: Schema.Int.pipe(Schema.positive()),
})
export type Ratio = typeof Ratio.Type

const SCALE = 1_000_000

/** A factor as people write it: a number with at most six decimals. */
export const Factor = Schema.NonNegative.pipe(
  Schema.lessThanOrEqualTo(1000),
  Schema.filter(
    (factor) => Math.abs(factor * SCALE - Math.round(factor * SCALE)) < 1e-3 || "a factor has at most six decimals",
  ),
)

const divisor = (left: number, right: number): number => (right === 0 ? left : divisor(right, left % right))

/** A {@link Factor} as a ratio, exactly: 1.1 is 11/10. */
export const fromFactor = (factor: number): Ratio => {
  const numerator = Math.round(factor * SCALE)
  const common = divisor(numerator, SCALE)
  return { numerator: numerator / common, denominator: SCALE / common }
}

/** What is left after a discount in percent, exactly: 15 leaves 17/20. */
export const afterDiscount = (percent: number): Ratio => {
  const numerator = 100 * SCALE - Math.round(percent * SCALE)
  const common = divisor(numerator, 100 * SCALE)
  return { numerator: numerator / common, denominator: (100 * SCALE) / common }
}
