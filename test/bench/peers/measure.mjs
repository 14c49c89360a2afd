// What every contender does: the same calls, each timed by itself, and what they cost until all of them have left.

export const CALLS = Number(process.env.OVERHEAD_CALLS ?? 20_000)
const WARM_UP = Math.min(2000, CALLS)
export const sink = process.env.OVERHEAD_SINK ?? ""

export const model = "claude-sonnet-4-5"
export const prompt = "What is a ledger, and why does it never forget? Answer in one paragraph. ".repeat(4)
export const answer = "A ledger never forgets: every entry stays where it was written. ".repeat(6)
export const usage = { input: 1500, output: 300, total: 1800 }

/** Names a call so that the sink can tell how many different ones arrived. */
export const callName = (n) => `overhead-call-${String(n).padStart(6, "0")}`

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Reports `count` timed calls after some that are not: microseconds a call, and CPU with everything delivered. */
export const measure = async ({ once, flush }) => {
  for (let n = 0; n < WARM_UP; n++) {
    await once(callName(n))
    await turn()
  }
  await flush()
  const times = new Float64Array(CALLS)
  const before = process.cpuUsage()
  for (let n = 0; n < CALLS; n++) {
    const name = callName(WARM_UP + n)
    const start = process.hrtime.bigint()
    const waiting = once(name)
    if (waiting !== undefined) await waiting
    times[n] = Number(process.hrtime.bigint() - start) / 1e3
    await turn()
  }
  await flush()
  const cpu = process.cpuUsage(before)
  times.sort()
  const at = (share) => times[Math.min(CALLS - 1, Math.floor(CALLS * share))]
  const result = { calls: WARM_UP + CALLS, p50: at(0.5), p99: at(0.99), cpu: (cpu.user + cpu.system) / CALLS }
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
}
