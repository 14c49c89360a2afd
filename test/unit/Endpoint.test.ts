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

describe("an address that is mistyped", () => {
  it.each([
    ["htp://x", "it begins with htp:, not with http: or https:"],
    ["localhost:8765", "it does not begin with http:// or https://"],
    ["127.0.0.1:8765", "it does not begin with http:// or https://"],
    ["ledger", "it does not begin with http:// or https://"],
    ["user:secret@ledger", "it does not begin with http:// or https://"],
    ["http://localhost:99999", "its port 99999 is greater than 65535"],
    ["https://user:secret@h:70000/x?token=y", "its port 70000 is greater than 65535"],
    ["http://[::1]:70000", "its port 70000 is greater than 65535"],
    ["http://", "it is not a URL"],
    ["http://a b", "it is not a URL"],
    ["http://h:port", "it is not a URL"],
  ])("%j is told apart from a server that does not answer", (url, problem) => {
    expect(Endpoint.problem(url)).toBe(problem)
  })

  it.each([
    "http://localhost:8765",
    " HTTPS://ledger.example/base/ ",
    "http://[::1]:8765",
    "http://h:65535/?key=x",
    Endpoint.EXAMPLE,
  ])("%j is none", (url) => {
    expect(Endpoint.problem(url)).toBeNull()
  })
})
