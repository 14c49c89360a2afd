import { randomBytes } from "node:crypto"
import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as Either from "effect/Either"
import * as RunLock from "../../layers/RunLock.js"

// Takes the lock of a folder again and again, and says on stdout, a line each: `held` (and how the lock was found), `breach`
// when another live process believes that it holds it too, `busy` when somebody else had it. Gives the lock back, or leaves it as a
// dead process would: with the name of a process that does not run any more.

const [folder = ""] = process.argv.slice(2)
const inside = nodePath.join(folder, "inside")
const me = String(process.pid)

const say = (line: string): void => {
  fs.writeSync(1, `${line}\n`)
}
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const chance = (): number => (randomBytes(1)[0] ?? 0) / 256
const present = (): string => fs.readFileSync(inside, { encoding: "utf8", flag: "a+" })

const isAnotherLive = async (pid: string): Promise<boolean> =>
  pid !== "" && pid !== me && (await RunLock.startTimeOf(Number(pid))) !== undefined

const asDead = (): void => {
  const beside = nodePath.join(folder, `.dead-${me}`)
  const start_time = `gone ${randomBytes(8).toString("hex")}`
  fs.writeFileSync(beside, JSON.stringify({ pid: process.pid, start_time }))
  fs.renameSync(beside, nodePath.join(folder, RunLock.FILE))
}

const hold = async (held: RunLock.Held): Promise<void> => {
  if (await isAnotherLive(present())) say(`breach ${me} entered where ${present()} was`)
  fs.writeFileSync(inside, me)
  for (let turns = 0; turns < 20; turns++) await turn()
  if (present() !== me) say(`breach ${me} found ${present()} in its place`)
  fs.writeFileSync(inside, "")
  say(`held ${held.before === undefined ? "free" : "dead"}`)
  if (chance() < 0.8) asDead()
  else await RunLock.release(folder, held)
}

for (;;) {
  const acquired = await RunLock.acquire(folder)
  if (Either.isRight(acquired)) await hold(acquired.right)
  await turn()
}
