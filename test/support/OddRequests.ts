import * as FastCheck from "effect/FastCheck"
import * as Rows from "./FuzzedRows.js"
import { jsonOf, type Scope } from "./FuzzedValues.js"

export type Headers = Readonly<Record<string, string>>

/** A request with the codes that it may be answered by; it changes nothing. */
export interface Odd {
  readonly kind: "odd"
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly body?: Buffer | undefined
  /** None: anything but a failure of the server. */
  readonly statuses: ReadonlyArray<number>
}

/** Bytes for a connection of their own. */
export interface Bytes {
  readonly kind: "bytes"
  readonly bytes: Buffer
}

const { array, boolean, constantFrom, oneof, string, tuple, uint8Array } = FastCheck

export const JSON_HEADERS: Headers = { "content-type": "application/json" }

const odd = (
  method: string,
  target: string,
  statuses: ReadonlyArray<number> = [],
  headers: Headers = {},
  body?: Buffer,
): Odd => ({ kind: "odd", method, target, headers, body, statuses })

const RUNS = "/api/v1/runs"

const QUERIES: ReadonlyArray<Odd> = [
  ...["0", "1001", "-1", "abc", "1e3", "1.5", "", "99999999999999999999", "%00"].map((limit) =>
    odd("GET", `${RUNS}?limit=${limit}`, [422]),
  ),
  ...["-1", "x", "1e1"].map((offset) => odd("GET", `${RUNS}?offset=${offset}`, [422])),
  ...["bogus", "RUNNING", "", "%ED%A0%80"].map((status) => odd("GET", `${RUNS}?status=${status}`, [400])),
  ...["now", "2026-01-01", "2026-01-01T00:00:00", "%00"].map((at) => odd("GET", `${RUNS}?created_after=${at}`, [400])),
  ...["x", "W10", "WzEsMl0", "eyJhIjoxfQ"].map((cursor) => odd("GET", `${RUNS}?cursor=${cursor}`, [422])),
  odd("GET", `${RUNS}?offset=999999999999999&limit=1`, [200]),
  odd("GET", `${RUNS}?created_after=2026-01-01T00:00:00%2B02:00&limit=1`, [200]),
  odd("GET", `${RUNS}?product=a%00b&model=%F0%9F%98%80&limit=1`, [200]),
  odd("GET", `${RUNS}?start_time_from=9999-12-31T23:59:59Z&limit=1`, [200]),
  odd("GET", `${RUNS}?unknown=1&limit=1`, [200]),
  odd("GET", "/api/v1/stats?group_by=bogus", [422]),
  odd("GET", "/api/v1/stats?group_by=__proto__", [422]),
  odd("GET", "/api/v1/stats?start_time_from=x", [400]),
  odd("GET", "/api/v1/calls?status=bogus", [400]),
  odd("GET", "/api/v1/calls?start_time_to=x", [400]),
  odd("GET", "/api/v1/calls?under=run-0-1", [200]),
  odd("GET", "/api/v1/calls?under=a%00b&model=%F0%9F%98%80", [200]),
  odd("GET", `${RUNS}/run-0-1/events?limit=0`, [422]),
  odd("GET", `${RUNS}/nobody/events`, [404]),
  odd("GET", `${RUNS}/nobody/tree`, [404]),
  odd("GET", `${RUNS}/nobody`, [404]),
  odd("GET", `${RUNS}/nobody/commit-url`, [404]),
  odd("GET", `${RUNS}/__proto__/repo-url`, [404]),
  odd("GET", "/api/v1/stream?status=bogus", [400]),
  odd("GET", "/nothing/here", [404]),
  odd("GET", "/health", [200]),
  odd("GET", "/ready", [200, 503]),
  odd("GET", "/metrics", [200]),
  odd("GET", "/api/v1/metadata", [200]),
  odd("GET", "/openapi.json", [200]),
  odd("GET", "/", [200, 307]),
]

const REFUSED_HEADERS: ReadonlyArray<readonly [Headers, number]> = [
  [{ "content-type": "text/plain" }, 415],
  [{}, 415],
  [{ "content-type": "application/json; charset=latin1" }, 415],
  [{ "content-type": "application/jsonp" }, 415],
  [{ "content-type": "application/x-www-form-urlencoded" }, 415],
  [{ ...JSON_HEADERS, "content-encoding": "gzip" }, 415],
  [{ ...JSON_HEADERS, origin: "https://evil.example" }, 403],
  [{ ...JSON_HEADERS, origin: "null" }, 403],
  [{ ...JSON_HEADERS, "sec-fetch-site": "cross-site" }, 403],
  [{ ...JSON_HEADERS, host: "evil.example" }, 421],
  [{ ...JSON_HEADERS, host: "localhost@evil.example:80" }, 421],
]

const WRITES = [
  ["POST", RUNS],
  ["POST", `${RUNS}/batch`],
  ["POST", "/api/v1/ops"],
  ["PATCH", `${RUNS}/w0-1`],
  ["POST", `${RUNS}/w0-1/associate-commit`],
] as const

/** Reads whose codes the contract names. */
export const queries: FastCheck.Arbitrary<Odd> = constantFrom(...QUERIES)

/** Good bodies under headers that must keep them out. */
export const refused = (scope: Scope): FastCheck.Arbitrary<Odd> =>
  tuple(constantFrom(...WRITES), constantFrom(...REFUSED_HEADERS), Rows.row(scope)).map(
    ([[method, target], [headers, status], row]) =>
      odd(method, target, [status], headers, Buffer.from(jsonOf(target.endsWith("ops") ? { ops: [] } : row))),
  )

const segment = oneof(
  constantFrom(
    "%00",
    "%",
    "%E0%A4%A",
    "..",
    ".",
    "%2e%2e",
    "%2F",
    "__proto__",
    "constructor",
    "a".repeat(9000),
    "*",
    ";x=1",
  ),
  string().map(encodeURIComponent),
)

/** Paths and methods that lead nowhere, or somewhere else. */
export const wanderings: FastCheck.Arbitrary<Odd> = tuple(
  constantFrom("GET", "HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "POST", "PROPFIND", "LOCK"),
  constantFrom("/", "/api/v1/", `${RUNS}/`, "/health/", "/docs/", "/metrics/", "/v1/traces/"),
  array(segment, { maxLength: 3 }),
  string({ maxLength: 10 }),
).map(([method, base, segments, query]) =>
  odd(
    method,
    `${base}${segments.join("/")}?${encodeURIComponent(query)}`,
    [],
    ["GET", "HEAD"].includes(method) ? {} : JSON_HEADERS,
    ["GET", "HEAD"].includes(method) ? undefined : Buffer.from("{}"),
  ),
)

/** Queries of any words. */
export const reads: FastCheck.Arbitrary<Odd> = tuple(
  constantFrom(
    RUNS,
    "/api/v1/stats",
    "/api/v1/calls",
    `${RUNS}/run-0-1/events`,
    `${RUNS}/run-0-1/tree`,
    `${RUNS}/w0-1`,
  ),
  array(
    tuple(
      constantFrom(
        "limit",
        "offset",
        "cursor",
        "status",
        "model",
        "run_id",
        "trace_id",
        "group_by",
        "start_time_to",
        "after",
        "x",
      ),
      oneof(constantFrom("1", "failure", "model", "2026-01-15T00:00:00Z", "", "[]", "a,b"), string()),
    ),
    { maxLength: 4 },
  ),
).map(([path, pairs]) =>
  odd(
    "GET",
    `${path}?${pairs.map(([name, value]) => `${name}=${encodeURIComponent(value.replace(/\p{Surrogate}/gu, ""))}`).join("&")}`,
  ),
)

const HEAD = "Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
const POST = `POST ${RUNS} HTTP/1.1\r\n${HEAD}`

const BROKEN: ReadonlyArray<string> = [
  `GET /health HTTP/1.1\r\n\r\n`,
  `GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
  `GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n`,
  `GET /health HTTP/1.0\r\n\r\n`,
  `GET http://localhost/health HTTP/1.1\r\n${HEAD}\r\n`,
  `GET * HTTP/1.1\r\n${HEAD}\r\n`,
  `GET //evil.example/ HTTP/1.1\r\n${HEAD}\r\n`,
  `GET /${"a".repeat(40_000)} HTTP/1.1\r\n${HEAD}\r\n`,
  `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${"y".repeat(40_000)}\r\n\r\n`,
  `GET /health HTTP/1.1\r\nHost: localhost\r\n${"A: b\r\n".repeat(3000)}\r\n`,
  `GET ${RUNS}/%E0%A4%A HTTP/1.1\r\n${HEAD}\r\n`,
  `GET ${RUNS}?limit=% HTTP/1.1\r\n${HEAD}\r\n`,
  `GET ${RUNS}?\x80\xff=\xfe HTTP/1.1\r\n${HEAD}\r\n`,
  `GET /\u0001 HTTP/1.1\r\n${HEAD}\r\n`,
  `CONNECT localhost:80 HTTP/1.1\r\n${HEAD}\r\n`,
  `TRACE / HTTP/1.1\r\n${HEAD}\r\n`,
  `GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
  `${POST}Content-Length: -1\r\n\r\n{}`,
  `${POST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
  `${POST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
  `${POST}Content-Length: 1000\r\n\r\n{"event_id":`,
  `${POST}Content-Length: 99999999999\r\n\r\n{}`,
  `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n2\r\n{`,
  `${POST}Transfer-Encoding: chunked\r\n\r\n2;${"x".repeat(30_000)}\r\n{}\r\n0\r\n\r\n`,
  `${POST}Transfer-Encoding: gzip\r\n\r\n{}`,
  `${POST}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}Expect: a miracle\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}X Y: a\r\nContent-Length: 2\r\n\r\n{}`,
  `${POST}X: \0\r\nContent-Length: 2\r\n\r\n{}`,
]

/** What no HTTP client would send. */
export const bytes: FastCheck.Arbitrary<Bytes> = oneof(
  { weight: 5, arbitrary: constantFrom(...BROKEN).map((text) => Buffer.from(text, "latin1")) },
  { weight: 2, arbitrary: uint8Array({ maxLength: 300 }).map((noise) => Buffer.from(noise)) },
  {
    weight: 2,
    arbitrary: tuple(string({ unit: "binary-ascii" }), string({ unit: "binary" }), boolean()).map(
      ([name, value, hasEnd]) =>
        Buffer.from(`GET /health HTTP/1.1\r\nHost: localhost\r\n${name}: ${value}\r\n${hasEnd ? "\r\n" : ""}`),
    ),
  },
).map((made) => ({ kind: "bytes", bytes: made }))
