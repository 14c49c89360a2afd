import { describe, expect, it } from "@effect/vitest"
import * as Circuit from "../../layers/TelemetryHttpCircuit.js"

const attempt = (random: number, retryAfterMillis?: number) => ({
  nowMillis: 1000,
  random,
  retryAfterMillis,
  capMillis: Circuit.PAUSE_CAP_MILLIS,
})

describe("the circuit", () => {
  it("opens after three failures in a row, lets one attempt through, and closes only when that succeeds", () => {
    const circuit = Circuit.make()
    const states = Array.from({ length: Circuit.OPEN_AFTER }, () => {
      circuit.attempt()
      circuit.fail(attempt(0.5))
      return circuit.state()
    })
    expect(states).toEqual(["closed", "closed", "open"])
    circuit.attempt()
    expect(circuit.state()).toBe("half-open")
    circuit.fail(attempt(0.5))
    expect(circuit.state()).toBe("open")
    expect(circuit.failures()).toBe(4)
    circuit.attempt()
    circuit.succeed(2000)
    expect([circuit.state(), circuit.failures(), circuit.standing().lastSuccessAt]).toEqual([
      "closed",
      0,
      "1970-01-01T00:00:02.000Z",
    ])
  })

  it("a success between failures starts the count anew", () => {
    const circuit = Circuit.make()
    for (let n = 0; n < 5; n++) {
      circuit.fail(attempt(0))
      circuit.fail(attempt(0))
      circuit.succeed(1)
    }
    expect(circuit.state()).toBe("closed")
  })

  it("pauses double up to half a minute, anywhere between nothing and the whole of it", () => {
    const most = Circuit.make()
    const longest = Array.from({ length: 12 }, () => most.fail(attempt(1)).ownMillis)
    expect(longest.slice(0, 4)).toEqual([200, 400, 800, 1600])
    expect(longest.at(-1)).toBe(30_000)
    const none = Circuit.make()
    expect(Array.from({ length: 12 }, () => none.fail(attempt(0)).ownMillis)).toEqual(
      Array.from({ length: 12 }, () => 0),
    )
    most.hurry()
    expect(most.fail(attempt(1)).ownMillis).toBe(200)
    expect(most.failures()).toBe(13)
  })

  it("a server that asks for nothing is not left alone until a moment that a clock set back reaches in days", () => {
    const circuit = Circuit.make()
    circuit.fail(attempt(0.5))
    expect(circuit.askedUntilMillis()).toBe(0)
    circuit.fail(attempt(0.5, 60_000))
    circuit.fail(attempt(0.5, 0))
    expect(circuit.askedUntilMillis()).toBe(0)
  })

  it("what the server asks for is kept until it is over or the server answers", () => {
    const circuit = Circuit.make()
    expect(circuit.fail(attempt(0.5, 60_000))).toEqual({ askedMillis: 60_000, ownMillis: 100 })
    expect(circuit.askedUntilMillis()).toBe(61_000)
    circuit.succeed(2000)
    expect(circuit.askedUntilMillis()).toBe(0)
  })
})
