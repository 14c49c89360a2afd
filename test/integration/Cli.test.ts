import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { VERSION } from "../../src/domain/Version.js"
import * as Runledger from "../support/Runledger.js"

beforeAll(Runledger.build)

describe("runledger", () => {
  it.scopedLive("says its version, lists its commands, and takes a wrong word for a usage error", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const version = yield* Runledger.run(["--version"], { cwd })
      expect([version.code, version.stdout.trim()]).toEqual([0, VERSION])
      const help = yield* Runledger.run([], { cwd })
      expect(help.code).toBe(0)
      for (const name of [
        "start",
        "launch",
        "serve",
        "runs",
        "show",
        "calls",
        "cost",
        "verify",
        "doctor",
        "sandbox",
        "schema",
      ]) {
        expect(help.stdout).toContain(`runledger ${name}`)
        const own = yield* Runledger.run([name, "--help"], { cwd })
        expect([name, own.code, own.stdout.includes("\u001b")]).toEqual([name, 0, false])
        expect(own.stdout).toContain(`runledger ${name}`)
        expect(own.stdout.split("\n").length, own.stdout).toBeLessThanOrEqual(40)
        expect(own.stdout).not.toMatch(/user-defined|true or false|This setting/)
      }
      const wrong = yield* Runledger.run(["lanch", "."], { cwd })
      expect([wrong.code, wrong.stdout]).toEqual([1, ""])
      expect(wrong.stderr).toContain('Did you mean "runledger launch"?')
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("schema prints one JSON document each", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      for (const name of ["event", "run", "config"]) {
        const { code, stdout } = yield* Runledger.run(["schema", name], { cwd })
        expect(code).toBe(0)
        expect(yield* Runledger.json(stdout)).toHaveProperty("$schema")
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("doctor finds a price file that does not exist, says how to mend it, and exits 3", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const well = yield* Runledger.run(["doctor", "--json"], { cwd })
      expect(well.code).toBe(0)
      expect(yield* Runledger.json(well.stdout)).toEqual(
        expect.arrayContaining([expect.objectContaining({ check: "sqlite", result: "ok" })]),
      )
      const ill = yield* Runledger.run(["doctor"], {
        cwd,
        env: { RUNLEDGER_PRICES: "nowhere.json", ANTHROPIC_API_KEY: "sk-secret" },
      })
      expect(ill.code).toBe(3)
      expect(ill.stdout).toContain("nowhere.json")
      expect(ill.stdout + ill.stderr).not.toContain("sk-secret")
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})

describe("bad input", () => {
  it.scopedLive("each names the thing and the next step, exits 1, and prints nothing on stdout", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { cwd, project, path } = yield* Runledger.workplace
      yield* fs.makeDirectory(path("empty"))
      yield* fs.makeDirectory(path("binary"))
      yield* fs.writeFile(path("binary/photo.png"), new Uint8Array([137, 80, 78, 71, 0, 0]))
      yield* fs.writeFileString(path("a-file"), "not a folder")
      yield* fs.writeFileString(path("unknown.yaml"), "llm:\n  max_tokns: 5\n")
      yield* fs.writeFileString(path("wrong.yaml"), "llm:\n  max_tokens: lots\n")
      yield* fs.writeFileString(path("broken.yaml"), "llm: {")
      const cases: ReadonlyArray<readonly [ReadonlyArray<string>, ReadonlyArray<string>]> = [
        [
          ["launch", "missing"],
          ["missing", "Check the path"],
        ],
        [
          ["launch", "empty"],
          ["empty", "README"],
        ],
        [
          ["launch", "binary"],
          ["binary", "no text files"],
        ],
        [
          ["launch", "a-file"],
          ["a-file", "not a folder"],
        ],
        [["launch"], ["runledger launch <folder|git url>"]],
        [
          ["launch", project, "--config", "unknown.yaml"],
          ["llm.max_tokns", 'did you mean "max_tokens"?'],
        ],
        [
          ["launch", project, "--config", "wrong.yaml"],
          ["llm.max_tokens", "expected a number", 'found the text "lots"'],
        ],
        [
          ["launch", project, "--config", "broken.yaml"],
          ["broken.yaml", "line 1"],
        ],
        [["launch", project, "--config", "nowhere.yaml"], ["There is no run config nowhere.yaml"]],
        [
          ["launch", project, "--provider", "openai"],
          ["OPENAI_API_KEY", "OPENAI_BASE_URL", "--provider sandbox"],
        ],
        [
          ["launch", project, "--provider", "anthropic"],
          ["ANTHROPIC_API_KEY", "--provider sandbox"],
        ],
        [
          ["launch", project, "--runs-dir", "a-file"],
          ["a-file", "choose another runs folder"],
        ],
        [["launch", project, "--resume", "r_nobody"], ["no run r_nobody"]],
        [
          ["launch", project, "--modl", "x"],
          ["--modl", "Did you mean --model?"],
        ],
        [
          ["show", "nobody", "--local"],
          ["No run or call nobody", "runledger runs"],
        ],
        [["verify", "nowhere"], ["No event log in nowhere"]],
        [
          ["cost", "--since", "yesterday", "--local"],
          ["--since", "2026-01-31"],
        ],
        [["sandbox", "--faults", "explode"], ['"explode" is not a fault']],
      ]
      for (const [args, words] of cases) {
        const ended = yield* Runledger.run(args, { cwd })
        expect([args, ended.code, ended.stdout]).toEqual([args, 1, ""])
        for (const word of words) expect(ended.stderr).toContain(word)
        expect(ended.stderr).not.toMatch(/^\s+at .*:\d+/m)
      }
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a repository that cannot be cloned exits 2 and names it, without its password", () =>
    Effect.gen(function* () {
      const { cwd } = yield* Runledger.workplace
      const ended = yield* Runledger.run(["launch", "http://user:s3cret@127.0.0.1:9/none.git"], { cwd })
      const other = yield* Runledger.run(["launch", "https://user:s3cret@127.0.0.1:9/none.git"], { cwd })
      expect([ended.code, other.code]).toEqual([1, 2])
      expect(other.stderr).toContain("git cannot reach https://127.0.0.1:9/none.git")
      expect(ended.stderr + other.stderr).not.toContain("s3cret")
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("a taken port: serve says so and exits 1, start takes the next free one and says so", () =>
    Effect.gen(function* () {
      const { cwd, project } = yield* Runledger.workplace
      const { port } = yield* Runledger.stranger("answers")
      const serve = yield* Runledger.run(["serve", "--port", String(port)], { cwd })
      expect([serve.code, serve.stdout]).toEqual([1, ""])
      expect(serve.stderr).toContain("--port")
      const start = yield* Runledger.run(["start", project, "--exit", "--port", String(port)], { cwd })
      expect(start.code).toBe(0)
      expect(start.stderr).toContain(`Port ${port} is held by something else`)
    }).pipe(Effect.provide(NodeContext.layer)),
  )

  it.scopedLive("an API that is down or never answers changes nothing of a launch but what is undelivered", () =>
    Effect.gen(function* () {
      const { cwd, project, path } = yield* Runledger.workplace
      const { url } = yield* Runledger.stranger("hangs")
      const launch = (runsDir: string, endpoint: string) =>
        Effect.flatMap(
          Runledger.run(["launch", project, "--json", "--runs-dir", runsDir], {
            cwd,
            env: { TELEMETRY_API_URL: endpoint },
          }),
          (ended) =>
            Effect.map(Runledger.resultOf(ended), (result) => ({ ...result, code: ended.code, said: ended.stderr })),
        )
      const down = yield* launch("down", "http://127.0.0.1:9")
      const hanging = yield* launch("hanging", url)
      for (const result of [down, hanging]) {
        expect(result).toMatchObject({ code: 0, status: "success" })
        expect(result.undelivered).toBeGreaterThan(0)
        expect(result.said).toContain(`runledger show ${result.run_id} --local`)
      }
      expect(yield* Runledger.draftsOf(path(hanging.run_dir))).toEqual(yield* Runledger.draftsOf(path(down.run_dir)))
    }).pipe(Effect.provide(NodeContext.layer)),
  )
})
