import { describe, expect, it } from "vitest"
import { asReaderWrites, snippetsOf } from "../support/ReadmeSnippet.js"
import * as Repository from "../support/Repository.js"

const readme = Repository.read("README.md")
const guide = Repository.read("src/telemetry/README.md")

describe("the documents", () => {
  it("the README shows a program that is not the one in src/examples, which is type-checked and run", () => {
    const snippets = snippetsOf(readme)
    expect(snippets.length).toBeGreaterThanOrEqual(2)
    for (const { file, code } of snippets) expect(code, file).toBe(asReaderWrites(Repository.read(file)))
  })

  it("the library's guide shows a program that is not the one in src/examples", () => {
    const snippets = snippetsOf(guide)
    expect(snippets.length).toBeGreaterThanOrEqual(3)
    for (const { file, code } of snippets) expect(code, file).toBe(asReaderWrites(Repository.read(file)))
  })

  it("the README's program reaches past what the package exports", () => {
    for (const { file, code } of [...snippetsOf(readme), ...snippetsOf(guide)])
      expect(code, file).not.toMatch(/from "\.\.?\//)
  })

  it("a link to a file of the project leads nowhere", () => {
    const files = new Set(Repository.files())
    for (const document of ["README.md", "CHANGELOG.md", "SECURITY.md"]) {
      const links = [...Repository.read(document).matchAll(/\]\((?!https?:|#)([^)]+)\)/g)].map(([, link = ""]) => link)
      expect(
        links.filter((link) => !files.has(link)),
        document,
      ).toEqual([])
    }
  })

  it("the README's commands, package.json and the changelog disagree about scripts or version", async () => {
    const manifest = Repository.readJson("package.json") as {
      readonly version: string
      readonly scripts: Readonly<Record<string, string>>
    }
    const { VERSION } = await import("../../src/domain/Version.js")
    expect(VERSION).toBe(manifest.version)
    expect(Repository.read("CHANGELOG.md")).toContain(`## ${manifest.version}`)
    const scripts = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, name = ""]) => name)
    expect(["start", "test", ...scripts].filter((name) => manifest.scripts[name] === undefined)).toEqual([])
  })
})
