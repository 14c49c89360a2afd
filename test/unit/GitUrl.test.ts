import { describe, expect, it } from "@effect/vitest"
import * as GitUrl from "../../src/domain/GitUrl.js"

describe("Git addresses", () => {
  it.each(["https://host/a/b.git", "ssh://git@host/a", "git@host:a/b.git", "file:///tmp/a"])(
    "%s may be cloned",
    (url) => {
      expect([GitUrl.looksRemote(url), GitUrl.isAllowed(url)]).toEqual([true, true])
    },
  )

  it.each([
    "--upload-pack=touch /tmp/x",
    "ext::sh -c touch% /tmp/x",
    "http://host/a",
    "git://host/a",
    "ssh://-oProxyCommand=x/a",
    "fd::17",
    "https://host/a b",
  ])("%s is never handed to git", (url) => {
    expect(GitUrl.isAllowed(url)).toBe(false)
  })

  it.each(["./here", "/tmp/x", "a:b", "C:", "docs"])("%s is a folder", (path) => {
    expect(GitUrl.looksRemote(path)).toBe(false)
  })

  it("are shown without user, password, token or query", () => {
    expect(GitUrl.shown("https://user:pa%40ss@host:8443/a/b.git?token=t#x")).toBe("https://host:8443/a/b.git")
    expect(GitUrl.shown("git@host:a/b.git")).toBe("host:a/b.git")
    expect(GitUrl.withoutCredentials("fatal: 'https://u:p@w@host/a?k=v' not found")).toBe(
      "fatal: 'https://host/a' not found",
    )
  })

  it.each([
    ["https://host/a/widget.git", "widget"],
    ["git@host:a/widget.git", "widget"],
    ["file:///tmp/widget/", "widget"],
  ])("%s names the repository %s", (url, name) => {
    expect(GitUrl.repositoryName(url)).toBe(name)
  })
})
