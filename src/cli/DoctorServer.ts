import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { shown } from "../domain/Endpoint.js"
import { type Finding, fail, ok, warn } from "./DoctorFinding.js"
import type * as ServerProbe from "./ServerProbe.js"

const SANE_SINCE_MS = Date.UTC(2025, 0, 1)
const SKEW_LIMIT_MS = 60_000
const TIMEOUT = "2 seconds"

/** What answers at the endpoint. */
export const server = (endpoint: string, probe: ServerProbe.Probe, version: string): Finding => {
  const place = shown(endpoint)
  switch (probe.kind) {
    case "mistyped":
      return fail(
        "server",
        `TELEMETRY_API_URL is wrong: ${place} is no address, ${probe.detail}`,
        "Mend TELEMETRY_API_URL, or unset it for a server on this machine. What is recorded meanwhile stays in the runs folder.",
      )
    case "nobody":
      return warn("server", `${place}: ${probe.detail}`, 'Start one with "runledger serve". Launches work without it.')
    case "other":
      return fail(
        "server",
        `${place} is not a Runledger server (${probe.detail})`,
        'Set TELEMETRY_API_URL to one, or start one elsewhere: "runledger serve --port 8766".',
      )
    case "runledger":
      return probe.version === version
        ? ok("server", `${place}, version ${probe.version}, database ${probe.dbPath}`)
        : warn(
            "server",
            `${place} is version ${probe.version}, this is ${version}`,
            "Use the same version on both sides.",
          )
  }
}

type Token = Option.Option<Redacted.Redacted<string>>

/** The status with which a server answers a question that needs the token; 0 when it does not. */
const statusWith = (endpoint: string, token: Token) =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    const asked = HttpClientRequest.get(`${endpoint.replace(/\/+$/, "")}/api/v1/runs?limit=1`)
    const request = Option.match(token, {
      onNone: () => asked,
      onSome: (value) => HttpClientRequest.bearerToken(asked, Redacted.value(value)),
    })
    return (yield* client.execute(request)).status
  }).pipe(
    Effect.scoped,
    Effect.timeout(TIMEOUT),
    Effect.orElseSucceed(() => 0),
  )

const judgedToken = (status: number, token: Token): Finding => {
  const given = Option.isSome(token)
  if (status >= 200 && status < 300) return ok("token", given ? "the server accepts it" : "the server wants none")
  if (status === 401) {
    return given
      ? fail(
          "token",
          "the server does not accept it (401)",
          "Set TELEMETRY_API_TOKEN to the server's TELEMETRY_API_AUTH_TOKEN.",
        )
      : fail("token", "the server wants one (401)", "Set TELEMETRY_API_TOKEN to the server's TELEMETRY_API_AUTH_TOKEN.")
  }
  if (status === 403) {
    return fail(
      "token",
      `the server, or a proxy before it, forbids reading runs${given ? " with this token" : ""} (403)`,
      "The token is known but may not do this: ask whoever runs the server or the proxy for one that may.",
    )
  }
  return warn(
    "token",
    status === 0 ? "not checked: the server gave no answer in time" : `not checked: the server answered ${status}`,
    "Look at the server's log.",
  )
}

/** The server takes the token, or wants none. Not asked when no server answers. */
export const token = (endpoint: string, probe: ServerProbe.Probe, given: Token) =>
  probe.kind === "runledger"
    ? Effect.map(statusWith(endpoint, given), (status) => [judgedToken(status, given)])
    : Effect.succeed([])

const MEND = "Set this machine's clock, best by NTP: ids, prices and times of runs depend on it."

/** This clock, against the server's and against the newest event that was recorded here. */
export const clock = (probe: ServerProbe.Probe, newestAt: Option.Option<string>) =>
  Effect.map(Clock.currentTimeMillis, (now): Finding => {
    const here = new Date(now).toISOString()
    if (now < SANE_SINCE_MS) return fail("clock", `it is ${here} here`, MEND)
    const skew = probe.kind === "runledger" ? Option.getOrElse(probe.clockSkewMs, () => 0) : 0
    if (Math.abs(skew) > SKEW_LIMIT_MS)
      return warn("clock", `${Math.round(skew / 1000)} s between this clock and the server's`, MEND)
    return Option.match(
      Option.filter(newestAt, (at) => Date.parse(at) - now > SKEW_LIMIT_MS),
      {
        onNone: () => ok("clock", here),
        onSome: (at) =>
          warn("clock", `it is ${here} here, and the newest event is of ${at}: it is from the future`, MEND),
      },
    )
  })
