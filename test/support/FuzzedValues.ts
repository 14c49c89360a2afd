import * as FastCheck from "effect/FastCheck"

/** Whose ids a request uses: clients with scopes of their own never meet. */
export interface Scope {
  readonly index: number
  /** How many event ids there are: few enough that the same one comes again and again. */
  readonly ids: number
}

export type Any = FastCheck.Arbitrary<unknown>
export type Fields = Readonly<Record<string, unknown>>

const { boolean, constant, constantFrom, dictionary, double, integer, nat, oneof, option, string } = FastCheck

export const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0")

/** Stands for a number beyond every double, which no value of the language becomes when it is written as JSON. */
const HUGE = "<<1e999>>"

/** JSON as it is sent. */
export const jsonOf = (value: unknown): string => JSON.stringify(value).replaceAll(`"${HUGE}"`, "1e999")

const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`)

const ODD_TEXTS = [
  "",
  "\0",
  "a\0b",
  "\ud800",
  "x\udc00y",
  "😀é\u2028",
  "__proto__",
  "constructor",
  "'; DROP TABLE runs; --",
  "<script>alert(1)</script>",
  "x".repeat(3000),
  "NaN",
]

export const oddText = oneof(constantFrom(...ODD_TEXTS), string(), string({ unit: "binary", maxLength: 20 }))
export const text = oneof({ weight: 3, arbitrary: string({ maxLength: 30 }) }, { weight: 1, arbitrary: oddText })
export const textOrNull = option(text)

/** Any JSON value, the awkward ones among them. */
export const anything: Any = oneof(
  constant(null),
  boolean(),
  integer(),
  double(),
  oddText,
  constantFrom<unknown>(
    HUGE,
    -1,
    1.5,
    2 ** 53,
    -0,
    [],
    {},
    [1],
    { a: 1 },
    JSON.parse('{"__proto__":{"polluted":true}}'),
  ),
  constantFrom(50, 99, 100, 101, 120, 1001).map(nested),
)

export const jsonObject = oneof(
  dictionary(text, oneof(text, integer(), double({ noNaN: true, noDefaultInfinity: true }), boolean()), { maxKeys: 4 }),
  constantFrom(JSON.parse('{"__proto__":{"polluted":true},"1":2,"0":1}'), { "": "", big: 2 ** 70 }),
  integer({ min: 1, max: 97 }).map(nested),
)

const FIRST_DAY = Date.UTC(2026, 0, 10)
const DAYS = 10

const moment = nat(DAYS * 24 * 60 - 1).chain((minute) =>
  nat(59_999).map((millis) => new Date(FIRST_DAY + minute * 60_000 + millis).toISOString()),
)

const ODD_TIMES = [
  "2026-01-15T12:00:00+02:00",
  "2026-01-15 12:00:00,123456789-0330",
  "2026-01-15T12:00z",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:59.999Z",
  "2024-02-29T23:59:59.9Z",
]
export const BAD_TIMES = [
  "2026-02-30T00:00:00Z",
  "2026-01-15T12:00:00",
  "now",
  "",
  "2026-01-15T24:00:00Z",
  "9999-12-31T23:59:59-01:00",
  0,
]

export const time = oneof({ weight: 9, arbitrary: moment }, { weight: 1, arbitrary: constantFrom(...ODD_TIMES) })
export const status = constantFrom(
  "running",
  "success",
  "failure",
  "partial",
  "timeout",
  "cancelled",
  "failed",
  "completed",
  "canceled",
)
export const count = oneof({ weight: 6, arbitrary: nat(5000) }, { weight: 1, arbitrary: constantFrom(0, null, -0) })
export const duration = oneof(
  { weight: 8, arbitrary: nat(120_000) },
  { weight: 1, arbitrary: constantFrom(0, 1, null, 2 ** 53 - 1) },
)

/** An event id of a scope; some are awkward in a path. */
export const eventIdOf = (scope: Scope, n: number): string => {
  const plain = `w${scope.index}-${n}`
  const shapes = [
    plain,
    plain,
    `${plain}/a b`,
    `${plain}?x=1&y`,
    `${plain}%41é😀`,
    `../${plain}`,
    `${plain}:"'\\`,
    plain.padEnd(255, "z"),
  ]
  return shapes[n % shapes.length] ?? plain
}

export const eventId = (scope: Scope): FastCheck.Arbitrary<string> => nat(scope.ids - 1).map((n) => eventIdOf(scope, n))

/** A run id of a scope. */
export const runId = (scope: Scope): FastCheck.Arbitrary<string> =>
  nat(Math.ceil(scope.ids / 3)).map((n) => `run-${scope.index}-${n}`)
