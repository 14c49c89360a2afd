import { describe, expect, it } from "vitest"
import * as WebhookAddress from "../../src/domain/WebhookAddress.js"
import * as WebhookMessage from "../../src/domain/WebhookMessage.js"

describe("webhook", () => {
  it("the signature is another than the specification's own example has", () => {
    const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: '{"test": 2432232314}' }
    const signature = WebhookMessage.signature(message, 1614265330, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    expect(signature).toBe("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  })

  it.each([
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", null],
    ["any words of one's own", null],
    ["whsec_", "not base64"],
    ["whsec_A", "not base64"],
    ["whsec_?!?!", "not base64"],
    ['whsec_bm90IG9uZQ=="', "not base64"],
  ])("%s signs with an empty or a mutilated key, or is refused", (secret, words) => {
    const problem = WebhookMessage.secretProblem(secret)
    if (words === null) expect(problem).toBeNull()
    else expect(problem).toContain(words)
    expect(problem ?? "").not.toMatch(/\?!|bm90/)
  })

  it.each([
    ["https://hooks.example.com/a/b?c=d", null],
    ["http://localhost:9000/x", null],
    ["http://127.0.0.1/x", null],
    ["http://[::1]:80/x", null],
    ["http://hooks.example.com/x", "plain http"],
    ["http://localhost.example.com/x", "plain http"],
    ["https://user:secret@hooks.example.com/x", "password"],
    ["ftp://hooks.example.com/x", "neither"],
    ["hooks.example.com", "not a URL"],
  ])("%s is taken where it must not be, or refused", (address, words) => {
    const problem = WebhookAddress.problem(address)
    if (words === null) expect(problem).toBeNull()
    else expect(problem).toContain(words)
    expect(problem ?? "").not.toMatch(/secret|\/x/)
  })

  it("more of an address is shown than its host", () => {
    expect(WebhookAddress.shown("https://hooks.example.com/services/T0/B0/secret?token=secret")).toBe(
      "https://hooks.example.com",
    )
    expect(WebhookAddress.shown("secret")).not.toContain("secret")
  })
})
