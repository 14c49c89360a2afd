import * as os from "node:os"
import { describe, expect, it } from "vitest"
import * as Plan from "../support/FloorPlan.js"
import * as Rules from "../support/HouseRules.js"
import * as Repository from "../support/Repository.js"
import { parse } from "../support/SourceFile.js"

const isSource = (file: string) => /\.(ts|mjs)$/.test(file) && !file.startsWith("test/support/fixtures/")
const sources = Repository.files()
  .filter(isSource)
  .map((file) => parse(file, Repository.read(file)))

const lines = (found: ReadonlyArray<Rules.Violation>) =>
  found.map(({ path, line, message }) => `${path}:${line} ${message}`)

const broken = (rule: Rules.Rule, path: string, text: string) => rule(parse(path, text)).map((one) => one.message)

describe("every file keeps the rule", () => {
  const rules = {
    "a newcomer would not find a file: it stands in no room": Rules.hasRoom,
    "a room imports one that the floor plan keeps from it": Rules.importsOwnRooms,
    "a vendor, the platform or I/O leaks out of its layer": Rules.importsAllowedPackages,
    "a barrel import slows the start-up": Rules.importsNoBarrel,
    "time, randomness, settings or output bypass their service, or a try stands in Effect.gen": Rules.asksServices,
    "a file is a drawer for odds and ends": Rules.isNamedByNoun,
    "a file or an example has outgrown its screenful": Rules.isShort,
    "a service tag's key is not its address": Rules.tagsBearTheirName,
  }
  it.each(Object.entries(rules))("%s", (_, rule) => {
    expect(sources.length).toBeGreaterThan(50)
    expect(lines(sources.flatMap(rule))).toEqual([])
  })

  it("no rule is left out of this list", () => {
    expect(new Set(Object.values(rules))).toEqual(new Set(Rules.fileRules))
  })

  it("a long file's exemption has lost its reason: the file is short or gone", () => {
    for (const path of Object.keys(Rules.longFiles)) {
      const file = sources.find((source) => source.path === path)
      expect(file?.lines ?? 0, path).toBeGreaterThan(Rules.maximumLines)
    }
  })
})

describe("the house as a whole", () => {
  it("the top level, src or test holds something that the floor plan does not know", () => {
    expect(Repository.topLevel().filter((name) => !Plan.topLevel.includes(name))).toEqual([])
    for (const [folder, allowed] of Object.entries(Plan.secondLevel)) {
      expect(Repository.list(folder).filter((name) => !allowed.includes(name))).toEqual([])
    }
  })

  it("a service lacks a layer, a layer its service, or the contract suite does not run on a layer", () => {
    expect(lines(Rules.servicesAreKept(sources))).toEqual([])
  })

  it("a committed file names a machine or a package registry", () => {
    const own = [Repository.root, os.homedir()].filter((path) => path.split("/").length > 2)
    const texts = Repository.files()
      .filter((file) => !file.startsWith("test/unit/") && !/\.(png|svg|sqlite|gz)$/.test(file))
      .map((file) => ({ path: file, text: Repository.read(file) }))
    expect(lines(texts.flatMap((file) => Rules.namesNoMachine(file, own)))).toEqual([])
  })

  it("a version is not pinned exactly, or npm ci would refuse the lockfile", () => {
    const manifest = Repository.readJson("package.json") as Parameters<typeof Rules.pinsExactly>[0]
    const lock = Repository.readJson("package-lock.json") as Rules.Lockfile
    expect(Rules.pinsExactly(manifest, lock)).toEqual([])
  })
})

describe("each rule can fail", () => {
  it("a file outside the floor plan goes unnoticed", () => {
    expect(broken(Rules.hasRoom, "src/stuff/Thing.ts", "")).toHaveLength(1)
    expect(broken(Rules.hasRoom, "src/domain/Thing.ts", "")).toEqual([])
  })

  it.each([
    ["src/domain/Run.ts", 'import { RunStore } from "../../services/RunStore.js"'],
    ["src/domain/Run.ts", 'import type { RunStore } from "../../services/RunStore.js"'],
    ["src/domain/Run.ts", 'export * from "../telemetry/Recorder.js"'],
    ["src/domain/Run.ts", 'const late = () => import("../server/Server.js")'],
    ["src/domain/Run.ts", 'type Late = import("../server/Server.js").Server'],
    ["services/RunStore.ts", 'import * as Sql from "../layers/RunStoreSql.js"'],
    ["layers/RunStoreSql.ts", 'import * as Server from "../src/server/Server.js"'],
    ["src/telemetry/LlmSpan.ts", 'import * as Facts from "../pipeline/FactsBuilder.js"'],
    ["src/pipeline/Planner.ts", 'import * as Http from "../../layers/TelemetryHttp.js"'],
    ["src/sandbox/Sandbox.ts", 'import { LlmClient } from "../../services/LlmClient.js"'],
    ["src/server/Server.ts", 'import * as Span from "../telemetry/LlmSpan.js"'],
    ["src/cli/Launch.ts", 'import * as Http from "../../layers/TelemetryHttp.js"'],
    ["src/cli/Launch.ts", 'import * as Main from "../main.js"'],
    ["src/index.ts", 'export * from "./pipeline/Orchestrator.js"'],
    ["src/dashboard/Page.ts", 'import { Api } from "../server/Api.js"'],
    ["src/main.ts", 'import * as Fixture from "../test/support/Fixture.js"'],
  ])("%s may import what it must not: %s", (path, text) => {
    expect(broken(Rules.importsOwnRooms, path, text)).toHaveLength(1)
  })

  it("a lawful import is refused", () => {
    const lawful: ReadonlyArray<readonly [string, string]> = [
      ["layers/RunStoreSql.ts", 'import { RunStore } from "../services/RunStore.js"'],
      ["src/main.ts", 'import * as Http from "../layers/TelemetryHttp.js"'],
      ["src/main.ts", 'import manifest from "../package.json" with { type: "json" }'],
      ["src/dashboard/Page.ts", 'import type { Api } from "../server/Api.js"'],
      ["src/domain/Run.ts", 'import * as Ids from "./Ids.js"'],
      ["src/domain/Run.ts", '// import "../../services/RunStore.js"\nconst text = \'import "../../layers/X.js"\''],
    ]
    for (const [path, text] of lawful) expect(broken(Rules.importsOwnRooms, path, text), text).toEqual([])
  })

  it.each([
    ["src/domain/Run.ts", "node:fs"],
    ["src/domain/Run.ts", "node:http"],
    ["src/domain/Run.ts", "@effect/platform/FileSystem"],
    ["services/RunStore.ts", "@effect/sql/SqlClient"],
    ["src/server/Handlers.ts", "better-sqlite3"],
    ["src/pipeline/Planner.ts", "@anthropic-ai/sdk"],
    ["src/cli/Launch.ts", "@effect/sql-sqlite-node/SqliteClient"],
    ["src/telemetry/LlmSpan.ts", "@pydantic/genai-prices"],
    ["src/cli/Launch.ts", "@effect/platform-node/NodeFileSystem"],
  ])("%s may know %s", (path, specifier) => {
    expect(broken(Rules.importsAllowedPackages, path, `import * as Thing from "${specifier}"`)).toHaveLength(1)
    expect(broken(Rules.importsAllowedPackages, "layers/RunStoreSql.ts", `import "${specifier}"`)).toEqual([])
  })

  it("a barrel import passes", () => {
    const barrel = (specifier: string) =>
      broken(Rules.importsNoBarrel, "src/main.ts", `import { X } from "${specifier}"`)
    expect([barrel("effect"), barrel("@effect/platform"), barrel("@effect/vitest")].flat()).toHaveLength(3)
    expect([barrel("effect/Effect"), barrel("@effect/platform/FileSystem")].flat()).toEqual([])
    expect(broken(Rules.importsNoBarrel, "test/unit/X.test.ts", 'import { it } from "@effect/vitest"')).toEqual([])
  })

  it.each([
    "const key = process.env.KEY",
    'const key = process["env"].KEY',
    'import { env } from "node:process"',
    "const now = Date.now()",
    "const now = new Date()",
    "const now = Date()",
    "const luck = Math.random()",
    "console.log(1)",
    "const program = Effect.gen(function* () { try { yield* a } catch { return 1 } })",
    'const program = Effect.fn("Run.x")(function* () { if (b) { try { yield* a } finally { c() } } })',
  ])("product code may say: %s", (text) => {
    expect(broken(Rules.asksServices, "src/cli/Launch.ts", text)).toHaveLength(1)
  })

  it("harmless code is taken for a deed", () => {
    const harmless = [
      "const day = new Date(0)",
      "const quiet = (console: Console.Console) => ({ ...console, log: () => console.error(1) })",
      'const text = "console.log(Date.now())" // Math.random()',
      "const program = Effect.gen(function* () { yield* Effect.try(() => { try { a() } catch { b() } }) })",
      "const lines = function* () { try { yield 1 } finally { close() } }",
    ]
    for (const text of harmless) expect(broken(Rules.asksServices, "src/cli/Launch.ts", text), text).toEqual([])
    expect(broken(Rules.asksServices, "test/bench/Start.ts", "Date.now()")).toEqual([])
  })

  it("a drawer passes as a noun", () => {
    for (const path of ["src/domain/utils.ts", "src/server/helpers/Text.ts", "test/support/Common.ts"]) {
      expect(broken(Rules.isNamedByNoun, path, ""), path).toHaveLength(1)
    }
    expect(broken(Rules.isNamedByNoun, "src/domain/CommonMark.ts", "")).toEqual([])
  })

  it("a file or example may grow past its bound", () => {
    expect(broken(Rules.isShort, "src/examples/Call.ts", "a\n".repeat(40))).toEqual([])
    expect(broken(Rules.isShort, "src/examples/Call.ts", "a\n".repeat(41))).toHaveLength(1)
    expect(broken(Rules.isShort, "src/domain/Run.ts", "a\n".repeat(301))).toHaveLength(1)
  })

  it("a tag may have any key", () => {
    const tag = (key: string) => `export class Budget extends Context.Tag("${key}")<Budget, object>() {}`
    expect(broken(Rules.tagsBearTheirName, "services/Budget.ts", tag("runledger/Budget"))).toHaveLength(1)
    expect(broken(Rules.tagsBearTheirName, "services/Budget.ts", tag("runledger/services/Budget"))).toEqual([])
    expect(broken(Rules.tagsBearTheirName, "services/Money.ts", tag("runledger/services/Budget"))).toHaveLength(1)
  })

  it("a service without layer, contract test or suite on every layer passes", () => {
    const kept = (files: Readonly<Record<string, string>>) =>
      Rules.servicesAreKept(Object.entries(files).map(([path, text]) => parse(path, text))).map((one) => one.message)
    const service = 'export class Clock extends Context.Tag("runledger/services/Clock")<Clock, object>() {}'
    const wall = { "services/Clock.ts": service, "layers/ClockWall.ts": "export const layer = 1" }
    expect(kept({ "services/Clock.ts": service })).toEqual(["has no layer in layers/"])
    expect(kept(wall)).toEqual(["has no test/contract/Clock.test.ts"])
    expect(kept({ ...wall, "test/contract/Clock.test.ts": "" })).toEqual([
      "does not run the suite on layers/ClockWall.ts",
    ])
    const suite = { "test/contract/Clock.test.ts": 'import * as Wall from "../../layers/ClockWall.js"' }
    expect(kept({ ...wall, ...suite })).toEqual([])
    expect(kept({ ...wall, ...suite, "layers/Sundial.ts": "export const layer = 1" })).toHaveLength(1)
    expect(kept({ ...wall, ...suite, "test/contract/Sundial.test.ts": "" })).toHaveLength(1)
  })

  it("a machine's path or a registry host passes", () => {
    const named = (text: string) => Rules.namesNoMachine({ path: "README.md", text }, ["/srv/checkout"])
    expect(named("see /srv/checkout/src")).toHaveLength(1)
    expect(named(`see /${"root"}/project/src`)).toHaveLength(1)
    expect(named(`see /${"home"}/ada/project`)).toHaveLength(1)
    expect(named(`https://${"registry"}.example.org/x`)).toHaveLength(1)
    expect(named('"resolved": "https://example.org/x.tgz"')).toHaveLength(1)
    expect(named("/home/user/project, /rooted/x, ~/x, https://example.org/home/x")).toEqual([])
  })

  it("a range, a moved version or an incomplete lockfile passes", () => {
    const lock = { packages: { "node_modules/a": { version: "1.0.0", optionalDependencies: { "a-linux": "1.0.0" } } } }
    const found = Rules.pinsExactly({ dependencies: { a: "1.0.1", b: "^1.0.0" } }, lock)
    expect(found.map((line) => line.split(":")[0])).toEqual(["b", "a", "b", "a-linux"])
  })
})
