import { exec } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { node } from "../support/NodeProcess.js"
import { asReaderWrites } from "../support/ReadmeSnippet.js"
import * as Repository from "../support/Repository.js"

const tsc = path.join(Repository.root, "node_modules", "typescript", "bin", "tsc")
const home = fs.mkdtempSync(path.join(os.tmpdir(), "runledger-package-"))
const modules = path.join(home, "node_modules")

/** Lays a project that has the package beside its dependencies, as npm would after an install of what `files` lists. */
beforeAll(async () => {
  fs.mkdirSync(modules)
  for (const name of fs.readdirSync(path.join(Repository.root, "node_modules"))) {
    if (!name.startsWith(".")) {
      fs.symlinkSync(path.join(Repository.root, "node_modules", name), path.join(modules, name), "dir")
    }
  }
  const installed = path.join(modules, "runledger")
  fs.mkdirSync(installed)
  fs.copyFileSync(path.join(Repository.root, "package.json"), path.join(installed, "package.json"))
  fs.cpSync(path.join(Repository.root, "dist", "bin"), path.join(installed, "dist", "bin"), { recursive: true })
  const built = await node(
    [tsc, "-p", path.join(Repository.root, "tsconfig.lib.json"), "--outDir", path.join(installed, "dist", "lib")],
    home,
  )
  expect(built.stdout).toBe("")
  fs.writeFileSync(path.join(home, "package.json"), JSON.stringify({ name: "reader", type: "module", private: true }))
}, 300_000)

afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

describe("the package as its users get it", () => {
  it("the README links to a page that is not in the archive", async () => {
    const pack = "npm pack --dry-run --ignore-scripts --json --loglevel=silent"
    const { stdout } = await promisify(exec)(pack, { cwd: Repository.root, maxBuffer: 2 ** 24 })
    const [archive] = JSON.parse(stdout) as ReadonlyArray<{ readonly files: ReadonlyArray<{ readonly path: string }> }>
    const packed = new Set(archive?.files.map((file) => file.path))
    for (const document of ["README.md", ...[...packed].filter((name) => /^src\/.*README\.md$/.test(name))]) {
      const links = [...Repository.read(document).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link = ""]) =>
        path.posix.join(path.posix.dirname(document), link),
      )
      expect(
        links.filter((link) => !packed.has(link)),
        document,
      ).toEqual([])
    }
    expect([...packed].filter((name) => name.startsWith("src/") && !name.endsWith("README.md"))).toEqual([])
    expect(packed).toContain("src/server/README.md")
  }, 60_000)

  it("a program in plain JavaScript cannot import the library, or one of its rooms", async () => {
    const program = `
      import { Backlog, LlmSpan, Recorder, RotatingRun } from "runledger"
      import * as Offline from "runledger/layers/TelemetryOffline"
      import * as Store from "runledger/layers/RunStoreSql"
      import * as Cost from "runledger/domain/Cost"
      import { Telemetry } from "runledger/services/Telemetry"
      import * as WorkerSpan from "runledger/telemetry/WorkerSpan"
      const found = [Backlog, LlmSpan, Recorder, RotatingRun.layer, Offline.layer, Store.layer, Telemetry, WorkerSpan.around, Object.keys(Cost)[0]]
      process.stdout.write(found.map((one) => typeof one).join())`
    const { stdout, stderr } = await node(["--input-type=module", "-e", program], home)
    expect(stderr).toBe("")
    expect(stdout).not.toContain("undefined")
    expect(stdout.split(",")).toHaveLength(9)
  }, 60_000)

  it("a room that the package does not export can be imported all the same", async () => {
    const { stderr } = await node(
      ["--input-type=module", "-e", 'await import("runledger/pipeline/Orchestrator")'],
      home,
    )
    expect(stderr).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED")
  }, 60_000)

  it("the examples do not type-check in a strict NodeNext project of somebody else", async () => {
    const examples = [
      "Program",
      "Offline",
      "WithoutEffect",
      "Script",
      "DailyServer",
      "WorkerPool",
      "OpenAi",
      "Fallback",
      "PlainFetch",
    ]
    for (const name of examples) {
      fs.writeFileSync(path.join(home, `${name}.ts`), asReaderWrites(Repository.read(`src/examples/${name}.ts`)))
    }
    const compilerOptions = {
      module: "NodeNext",
      target: "ES2022",
      lib: ["ES2023", "DOM"],
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      skipLibCheck: false,
    }
    const files = examples.map((name) => `${name}.ts`)
    fs.writeFileSync(path.join(home, "tsconfig.json"), JSON.stringify({ compilerOptions, files }))
    const { stdout, status } = await node([tsc, "-p", home, "--pretty", "false"], home)
    expect(stdout.split("\n").filter((line) => !line.startsWith("node_modules/"))).toEqual([""])
    expect([0, 2]).toContain(status)
  }, 180_000)

  it("the bin does not run from an installed package", async () => {
    const { version } = Repository.readJson("package.json") as { readonly version: string }
    const { stdout, status } = await node(
      [path.join(modules, "runledger", "dist", "bin", "runledger.js"), "--version"],
      home,
    )
    expect(stdout.trim()).toBe(version)
    expect(status).toBe(0)
  }, 60_000)
})
