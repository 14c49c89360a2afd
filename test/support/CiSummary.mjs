// Prints `N passed, M failed[, K skipped]` from the report that vitest's json reporter wrote, and fails unless at least one
// test ran and none failed. A file that could not even be loaded counts as a failure.
import * as fs from "node:fs"

const [file] = process.argv.slice(2)

const read = () => {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"))
  } catch (error) {
    process.stderr.write(`The test runner left no report at ${file}: ${error.message}\n`)
    return { testResults: [], success: false }
  }
}

const report = read()
const tests = report.testResults.flatMap((suite) => suite.assertionResults)
const count = (...states) => tests.filter((test) => states.includes(test.status)).length

const passed = count("passed")
const skipped = count("skipped", "pending", "todo", "disabled")
const unloadable = report.testResults.filter(
  (suite) => suite.status === "failed" && !suite.assertionResults.some((test) => test.status === "failed"),
)
const failed = tests.length - passed - skipped + unloadable.length

for (const suite of unloadable) process.stderr.write(`could not be run: ${suite.name}\n`)
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`)
process.exitCode = report.success && failed === 0 && passed > 0 ? 0 : 1
