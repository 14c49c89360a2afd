import * as FastCheck from "effect/FastCheck"
import * as Rows from "./FuzzedRows.js"
import type { Scope } from "./FuzzedValues.js"
import * as Values from "./FuzzedValues.js"
import * as OddRequests from "./OddRequests.js"
import { type Bytes, type Headers, JSON_HEADERS, type Odd } from "./OddRequests.js"

/** A write whose effect and answer the model knows. */
export interface Write {
  readonly kind: "post" | "batch" | "ops" | "patch" | "associate"
  readonly eventId: string
  readonly propagate: boolean
  readonly body: Buffer
  readonly headers: Headers
  readonly chunked: boolean
  /** Sent twice: a client that did not hear the answer asks again. */
  readonly again: boolean
}

/** A read whose answer the model knows. */
export interface Read {
  readonly kind: "get" | "list" | "events"
  readonly id: string
}

export type Fuzzed = Write | Read | Odd | Bytes

const { constant, constantFrom, nat, oneof, record, tuple } = FastCheck

const goodHeaders: FastCheck.Arbitrary<Headers> = oneof(
  { weight: 10, arbitrary: constant(JSON_HEADERS) },
  {
    weight: 1,
    arbitrary: constantFrom<Headers>(
      { "content-type": "Application/JSON; charset=UTF-8" },
      { ...JSON_HEADERS, accept: "*/*;q=0.1, text/x", cookie: "a=b; c", "x-forwarded-for": "::1" },
      { ...JSON_HEADERS, authorization: "Bearer nobody asked", "sec-fetch-site": "same-origin" },
      { ...JSON_HEADERS, "content-encoding": "identity", "accept-encoding": "gzip, br", "x-long": "x".repeat(4000) },
    ),
  },
)

/** Text as bytes, some of it broken on the way. */
const sent = (text: FastCheck.Arbitrary<string>): FastCheck.Arbitrary<Buffer> =>
  oneof(
    { weight: 30, arbitrary: text.map((whole) => Buffer.from(whole)) },
    {
      weight: 1,
      arbitrary: tuple(text, nat(), constantFrom("cut", "byte", "tail", "bom", "nul")).map(([whole, at, how]) => {
        const bytes = Buffer.from(whole)
        const place = at % Math.max(1, bytes.length)
        if (how === "cut") return bytes.subarray(0, place)
        if (how === "tail") return Buffer.concat([bytes, Buffer.from("}")])
        if (how === "bom") return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes])
        return Buffer.concat([bytes.subarray(0, place), Buffer.from([how === "nul" ? 0 : 0xff]), bytes.subarray(place)])
      }),
    },
    {
      weight: 1,
      arbitrary: constantFrom(
        Buffer.alloc(0),
        Buffer.from("["),
        Buffer.from("[".repeat(100_000) + "]".repeat(100_000)),
        Buffer.from('{"a":'.repeat(5000)),
        Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
        Buffer.from('{"event_id":"a","event_id":7}'),
        Buffer.from("{'event_id':'a'}"),
        Buffer.from('{"a":01}'),
        Buffer.from('"\\u12"'),
        Buffer.from('{"a":NaN}'),
        Buffer.from([0x22, 0xc0, 0x80, 0x22]),
        Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
      ),
    },
  )

const write = (scope: Scope, kind: Write["kind"], body: FastCheck.Arbitrary<unknown>): FastCheck.Arbitrary<Write> =>
  record({
    kind: constant(kind),
    eventId: Values.eventId(scope),
    propagate: nat(3).map((n) => n === 0),
    body: sent(body.map(Values.jsonOf)),
    headers: goodHeaders,
    chunked: nat(9).map((n) => n === 0),
    again: nat(11).map((n) => n === 0),
  })

const read = (scope: Scope): FastCheck.Arbitrary<Read> =>
  oneof(
    record({ kind: constant("get" as const), id: Values.eventId(scope) }),
    record({ kind: constantFrom("list" as const, "events" as const), id: Values.runId(scope) }),
  )

/** Any request of a client: mostly writes and reads that the model can foretell, some that nobody should ever send. */
export const request = (scope: Scope): FastCheck.Arbitrary<Fuzzed> =>
  oneof<Array<FastCheck.MaybeWeightedArbitrary<Fuzzed>>>(
    {
      weight: 22,
      arbitrary: write(
        scope,
        "post",
        oneof({ weight: 20, arbitrary: Rows.row(scope) }, { weight: 1, arbitrary: Values.anything }),
      ),
    },
    { weight: 8, arbitrary: write(scope, "batch", Rows.batch(scope)) },
    { weight: 20, arbitrary: write(scope, "ops", Rows.operations(scope)) },
    {
      weight: 16,
      arbitrary: write(
        scope,
        "patch",
        oneof({ weight: 20, arbitrary: Rows.patch(scope) }, { weight: 1, arbitrary: Values.anything }),
      ),
    },
    {
      weight: 4,
      arbitrary: write(
        scope,
        "associate",
        oneof({ weight: 20, arbitrary: Rows.association }, { weight: 1, arbitrary: Values.anything }),
      ),
    },
    { weight: 12, arbitrary: read(scope) },
    { weight: 6, arbitrary: OddRequests.queries },
    { weight: 4, arbitrary: OddRequests.refused(scope) },
    { weight: 3, arbitrary: OddRequests.wanderings },
    { weight: 2, arbitrary: OddRequests.reads },
    { weight: 3, arbitrary: OddRequests.bytes },
  )
