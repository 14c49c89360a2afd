import * as path from "node:path"
import { expect, it } from "vitest"
import { node } from "../support/NodeProcess.js"
import { root } from "../support/Repository.js"

it("a forgotten effect compiles: Effect's diagnostics are not patched into tsc (run `node src/setup.mjs`)", async () => {
  const compiler = path.join(root, "node_modules", "typescript", "bin", "tsc")
  const project = path.join(root, "test", "support", "fixtures", "floating-effect")
  const { status, stdout } = await node([compiler, "-p", project, "--pretty", "false"], root)
  const errors = stdout.split("\n").filter((line) => line.includes("error TS"))
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatch(/Floating\.ts\(8,3\): error .*effect\(floatingEffect\)/)
  expect(status).not.toBe(0)
}, 60_000)
