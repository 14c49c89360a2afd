import * as fs from "node:fs"
import * as path from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { node } from "../support/NodeProcess.js"
import * as Repository from "../support/Repository.js"
import * as Runledger from "../support/Runledger.js"

const built = path.join(Repository.root, "dist", "bin")
let copy = ""

beforeAll(async () => {
  await Runledger.build()
  // Beside dist/bin, where the packages are found.
  copy = fs.mkdtempSync(path.join(Repository.root, "dist", "cache-"))
  fs.cpSync(built, copy, { recursive: true })
}, 120_000)

afterAll(() => fs.rmSync(copy, { recursive: true, force: true }))

const files = (ending: string) => fs.readdirSync(copy).filter((name) => name.endsWith(ending))

/** Changes every cache in place: of the same length, so that V8 would believe it. */
const damage = () => {
  for (const name of files(".cache")) {
    const file = path.join(copy, name)
    const bytes = fs.readFileSync(file)
    for (let at = 1; at < 50; at += 1) bytes.writeUInt8(0xff, Math.floor((bytes.length * at) / 50))
    fs.writeFileSync(file, bytes)
  }
}

const shorten = () => {
  for (const name of files(".cache")) fs.truncateSync(path.join(copy, name), 3)
}

const remove = (ending: string) => () => {
  for (const name of files(ending)) fs.rmSync(path.join(copy, name))
}

describe("the bin's code cache", () => {
  it("the build leaves none, and every start compiles again", () => {
    expect(files(".cache").length).toBeGreaterThan(0)
  })

  // In this order: each takes away more of the copy.
  it.each([
    ["whole", () => {}],
    ["damaged", damage],
    ["torn", shorten],
    ["missing", remove(".cache")],
    ["missing with its script, as in the published package", remove(".cjs")],
  ])(
    "a command fails where it is %s",
    async (_, change) => {
      change()
      const { stdout, stderr, status } = await node([path.join(copy, "runledger.js"), "schema", "event"], copy)
      expect(stderr).toBe("")
      expect(JSON.parse(stdout)).toHaveProperty("$schema")
      expect(status).toBe(0)
    },
    60_000,
  )
})
