import { spawnSync } from "node:child_process"
import * as path from "node:path"
import { expect, it } from "vitest"
import { root } from "../support/Repository.js"

it("a forgotten effect compiles: Effect's diagnostics are not patched into tsc (run `node src/setup.mjs`)", () => {
  const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc")
  const project = path.join(root, "test", "support", "fixtures", "floating-effect")
  const { status, stdout } = spawnSync(process.execPath, [compiler, "-p", project, "--pretty", "false"], {
    encoding: "utf8",
  })
  const errors = stdout.split("\n").filter((line) => line.includes("error TS"))
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatch(/Floating\.ts\(8,3\): error .*effect\(floatingEffect\)/)
  expect(status).not.toBe(0)
}, 60_000)
