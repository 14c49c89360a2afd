import { describe, expect, it } from "@effect/vitest"
import * as Endpoint from "../../src/domain/Endpoint.js"

describe("an endpoint, shown", () => {
  it.each([
    ["http://user:pass@h/?token=x", "http://h"],
    ["https://user:p%40ss@h:8443/a/b/?token=x#secret", "https://h:8443/a/b"],
    ["http:\\\\user:pass@h\\a", "http://h/a"],
    ["http://localhost:8765/", "http://localhost:8765"],
    ["http://user:pa ss@h:99999999/?token=x", "http://h:99999999/"],
    ["http://user:p@ss?w@h:99999999/x?token=x@y", "http://ss"],
    ["user:pass@h/x", "h/x"],
    ["ftp://user:pass@h/x?token=x", "ftp://h/x"],
    ["not a url?token=x", "not a url"],
    ["a\u001b[2Jb\n\u202ec", "a[2Jb c"],
    ["", ""],
  ])("%j holds no secret when it is shown", (url, shown) => {
    expect(Endpoint.shown(url)).toBe(shown)
  })

  it("is short, whatever was set", () => {
    expect(Endpoint.shown("x".repeat(100_000))).toHaveLength(300)
  })
})
