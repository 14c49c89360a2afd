import { describe, expect, it } from "@effect/vitest"
import * as PublicApi from "../../src/domain/PublicApi.js"
import * as ScriptExports from "../../src/domain/ScriptExports.js"
import * as SymbolClaims from "../../src/domain/SymbolClaims.js"

const names = (path: string, text: string) =>
  ScriptExports.read(path, text).exports.map(
    (each) => `${each.kind} ${each.name}(${each.parameters?.join(", ") ?? "-"})`,
  )

const claimsOf = (files: Readonly<Record<string, string>>, manifest: string) => {
  const modules = new Map(Object.entries(files).map(([path, text]) => [path, ScriptExports.read(path, text)]))
  const entries = PublicApi.entryPoints(manifest, [...modules.keys()])
  return SymbolClaims.make(PublicApi.symbols(entries, modules)).claims.map((claim) => claim.claim_text)
}

describe("Exports of scripts", () => {
  it("are read from TypeScript, with names of parameters, lines and the first sentence of their documentation", () => {
    const text = `/** Adds two numbers, e.g. for sums. Never fails. */
export const add = (left: number, { right }: { right: number }, ...more: number[]) => left
export interface Shape { a: string }
/** @internal */
export function hidden() {}
export default class Chart { #x = 1 }
const local = 1
export { local as renamed }
export const add = 2
`
    const { exports } = ScriptExports.read("src/a.ts", text)
    expect(exports[0]).toMatchObject({
      name: "add",
      parameters: ["left", "options", "...more"],
      summary: "Adds two numbers, e.g. for sums.",
      startLine: 2,
    })
    expect(names("src/a.ts", text).slice(1, 4)).toEqual(["interface Shape(-)", "class Chart(-)", "constant renamed(-)"])
  })

  it("are read from declarations, overloads by their last signature", () => {
    expect(
      names(
        "x.d.ts",
        "export declare const map: { (f: F): G; <A>(self: A, f: F): A }\ndeclare function f(a: string): void\nexport = f",
      ),
    ).toEqual(["function map(self, f)", "function f(a)"])
  })

  it("are read from CommonJS", () => {
    expect(
      names(
        "x.js",
        "function Widget(a) {}\nWidget.prototype.b = 1\nmodule.exports = Widget\nexports.c = (d) => d\nexports.e = exports.f = void 0",
      ),
    ).toEqual(["function Widget(a)", "function c(d)"])
  })

  it("become claims only when the package's entry reaches them, under the name by which it does", () => {
    const claims = claimsOf(
      {
        "src/index.ts":
          'export { parse as read } from "./parser.js"\nexport * as Tools from "./tools.js"\nexport * from "./types"',
        "src/parser.ts":
          "/** Parses a text into rows. */\nexport const parse = (text: string) => text\nexport const secret = 1",
        "src/tools.ts": 'export const hammer = () => 1\nexport * from "./parser.js"',
        "src/types.ts": 'export type Row = string\nexport * from "./index.js"',
      },
      JSON.stringify({ exports: { ".": { import: "./dist/index.js" }, "./package.json": "./package.json" } }),
    )
    expect(claims).toContain("The package exports the function `read(text)`: Parses a text into rows.")
    expect(claims).toContain("Module `Tools` exports the function `hammer()`.")
    expect(claims).toContain("The package exports the type `Row`.")
    expect(claims.filter((text) => text.includes("secret") && text.startsWith("The package"))).toEqual([])
  })

  it("follow require through CommonJS entries", () => {
    const claims = claimsOf(
      {
        "index.js":
          "const inc = require('./inc')\nmodule.exports = { inc, Range: require('./range').Range }\nmodule.exports.Main = require('./main')",
        "inc.js": "module.exports = function increase(by) {}",
        "range.js": "class Range {}\nmodule.exports = { Range }",
        "main.js": "module.exports = class {}",
      },
      "{}",
    )
    expect(claims).toContain("The package exports the function `inc(by)`.")
    expect(claims).toContain("The package exports the class `Range`.")
  })
})
