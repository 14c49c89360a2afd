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
    ["git@github.com:acme/widget.git", "https://github.com/acme/widget.git"],
    ["git@github.com:/acme/widget.git", "https://github.com/acme/widget.git"],
    ["ssh://git@github.com:22/acme/widget.git", "https://github.com/acme/widget.git"],
    ["ssh://git@ssh.github.com:443/acme/widget.git", "https://github.com/acme/widget.git"],
    ["git@GitLab.com:a/b/c.git", "https://gitlab.com/a/b/c.git"],
    ["https://user:token@bitbucket.org/a/b.git", "https://bitbucket.org/a/b.git"],
    ["git@github.com.evil.example:a/b.git", "github.com.evil.example:a/b.git"],
    ["git@host:a/b.git", "host:a/b.git"],
    ["ssh://git@host/a", "ssh://host/a"],
    ["/srv/git/widget.git", "/srv/git/widget.git"],
    ["acme/widget", "acme/widget"],
  ])("%s is recorded as %s", (url, address) => {
    expect(GitUrl.recorded(url)).toBe(address)
  })

  it.each([
    ["https://host/a/widget.git", "widget"],
    ["git@host:a/widget.git", "widget"],
    ["file:///tmp/widget/", "widget"],
  ])("%s names the repository %s", (url, name) => {
    expect(GitUrl.repositoryName(url)).toBe(name)
  })
})
