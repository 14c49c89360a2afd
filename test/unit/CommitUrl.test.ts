import { describe, expect, it } from "@effect/vitest"
import * as CommitUrl from "../../src/domain/CommitUrl.js"

const HASH = "0123456789abcdef0123456789abcdef01234567"

describe("CommitUrl", () => {
  it("links a commit the way its host does", () => {
    expect(CommitUrl.commitUrl("https://github.com/a/b.git", HASH)).toBe(`https://github.com/a/b/commit/${HASH}`)
    expect(CommitUrl.commitUrl("https://GitLab.com/a/b/c/", "0123456")).toBe(
      "https://gitlab.com/a/b/c/-/commit/0123456",
    )
    expect(CommitUrl.commitUrl("https://bitbucket.org/a/b", HASH)).toBe(`https://bitbucket.org/a/b/commits/${HASH}`)
    expect(CommitUrl.repoUrl("https://github.com/a/b.git")).toBe("https://github.com/a/b")
  })

  it("links nothing that is not exactly a known host over https", () => {
    for (const repo of [
      "http://github.com/a/b",
      "https://github.com.evil.example/a/b",
      "https://evil.example/github.com/a/b",
      "https://github.com@evil.example/a/b",
      "https://user:pass@github.com/a/b",
      "https://github.com:8443/a/b",
      "https://github.com\\@evil.example/a/b",
      "https://www.github.com/a/b",
      "git@github.com:a/b.git",
      "javascript:alert(1)//github.com/a/b",
      "https://github.com/a/b?x=<script>",
      "https://github.com/a/../b",
      "https://github.com/a/b/c",
      'https://github.com/a/b"onload=x',
      "https://github.com/a",
      " https://github.com/a/b",
      "",
    ]) {
      expect(CommitUrl.repoUrl(repo), repo).toBeNull()
      expect(CommitUrl.commitUrl(repo, HASH), repo).toBeNull()
    }
    expect(CommitUrl.repoUrl(null)).toBeNull()
  })

  it("links no commit whose hash is not one", () => {
    for (const hash of [null, "", "012345", `${HASH}0`, "../../x", "HEAD"]) {
      expect(CommitUrl.commitUrl("https://github.com/a/b", hash), String(hash)).toBeNull()
    }
  })
})
