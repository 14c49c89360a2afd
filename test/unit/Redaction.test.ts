import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Redaction from "../../src/domain/Redaction.js"

const alnum = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
const run = (length: number, alphabet = alnum): string =>
  Array.from({ length }, (_, index) => alphabet[(index * 7 + 3) % alphabet.length]).join("")

const pem = ["-----BEGIN RSA PRIVATE KEY-----", run(64), run(64), run(20), "-----END RSA PRIVATE KEY-----"].join("\n")
const encryptedPem = pem.replace(
  "KEY-----\n",
  "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,3F17F5316E2BAC89A1B2C3D4E5F60718\n\n",
)
const jwt = `eyJ${run(20)}.eyJ${run(30)}.${run(43)}`

/** What surrounds the secret, the secret itself, and the kind under which it must be reported. */
const SECRETS: ReadonlyArray<readonly [string, (secret: string) => string, string]> = [
  ["anthropic_key", (s) => s, `sk-ant-api03-${run(60)}`],
  ["openai_key", (s) => s, `sk-proj-${run(48)}`],
  ["openai_key", (s) => s, `sk-${run(48)}`],
  ["aws_key", (s) => s, `AKIA${run(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")}`],
  ["aws_secret", (s) => `AKIAIOSFODNN7EXAMPLE,${s}`, run(40, `${alnum}/+`)],
  ["api_key", (s) => `aws_secret_access_key = ${s}`, run(40, `${alnum}/+`)],
  ["github_token", (s) => s, `ghp_${run(36)}`],
  ["github_token", (s) => s, `github_pat_${run(22)}_${run(59)}`],
  ["gitlab_token", (s) => s, `glpat-${run(20)}`],
  ["slack_token", (s) => s, `xoxb-123456789012-123456789012-${run(24)}`],
  ["google_key", (s) => s, `AIza${run(35)}`],
  ["npm_token", (s) => s, `npm_${run(36)}`],
  ["stripe_key", (s) => s, `sk_live_${run(24)}`],
  ["jwt", (s) => s, jwt],
  ["bearer_token", (s) => `Authorization: Bearer ${s}`, run(32)],
  ["basic_credentials", (s) => `authorization: Basic ${s}`, Buffer.from("aladdin:open sesame").toString("base64")],
  ["private_key", (s) => s, pem],
  ["private_key", (s) => `{"key": "${s}"}`, pem.replaceAll("\n", "\\n")],
  ["private_key", (s) => s, pem.split("-----END")[0] ?? ""],
  ["url_userinfo", (s) => `postgres://${s}@db.example.com:5432/app`, "admin:s3cr3t-pa55"],
  ["url_userinfo", (s) => `https://${s}@example.com/x.git`, `x-access-token:${run(12)}`],
  ["password", (s) => `password = "${s}"`, "correct horse battery"],
  ["password", (s) => `{"password":"${s}","user":"bob"}`, "hunter2"],
  ["password", (s) => `{\\"password\\": \\"${s}\\"}`, "hunter2"],
  ["password", (s) => `DB_PASSWORD=${s}`, "swordfish"],
  ["password", (s) => `export PGPASSWORD=${s}\necho done`, "swordfish"],
  ["password", (s) => `db:\n  password: ${s}\n  user: bob`, "swordfish"],
  ["password", (s) => `the password: ${s} works`, "hunter22"],
  ["password", (s) => `password: "${s}",`, `it's me, \\"Bob\\", 42`],
  ["password", (s) => `say \\"password\\":\\"${s}\\" now`, "it's me 42"],
  ["secret", (s) => `secret = "${s}"`, run(3000)],
  ["secret", (s) => `secret=${s}`, run(3000)],
  ["api_key", (s) => `api_key: '${s}'`, "abcdef123456"],
  ["api_key", (s) => `x-api-key: ${s}`, run(24)],
  ["api_key", (s) => `const apiKey = "${s}"`, "k-98as7df98a7s"],
  ["token", (s) => `TELEMETRY_API_TOKEN=${s}`, run(24)],
  ["token", (s) => `access_token=${s}&x=1`, run(24)],
  ["secret", (s) => `client_secret: ${s}`, run(30)],
  ["secret", (s) => `"SECRET" => '${s}'`, "not-so-nice-one"],
  ["password", (s) => `password: "${s}"`, "super secret-password"],
  ["api_key", (s) => `apiKey: "${s}"`, "AKlmaBcDEfghiJKlmNoPqr"],
  ["password", (s) => `mysql --password ${s} -u root`, "hunter2secret99"],
  ["token", (s) => `deploy --auth-token "${s}"`, run(24)],
  ["password", (s) => `<password>${s}</password>`, "hunter2secret"],
  ["password", (s) => `<db:password>${s}</db:password>`, "swordfish"],
  ["password", (s) => `{"password": ${s}}`, "12345678"],
  ["password", (s) => `{password:${s}}{a:1}`, "hunter22"],
  ["basic_credentials", (s) => `curl -u ${s} https://example.com`, "admin:hunter2secret"],
  ["basic_credentials", (s) => `curl -s -X POST --user '${s}' https://example.com`, "admin:swordfish"],
  ["basic_credentials", (s) => `fetcher --user ${s}`, "admin:hunter2secret"],
  ["groq_key", (s) => s, `gsk_${run(52)}`],
  ["sendgrid_key", (s) => s, `SG.${run(22)}.${run(43)}`],
]

const HARMLESS: ReadonlyArray<string> = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "da39a3ee5e6b4b0d3255bfef95601890afd80709",
  "0197f1d2-aaaa-7bbb-8ccc-0123456789ab",
  `data:image/png;base64,${Buffer.from(run(3000)).toString("base64")}`,
  "The token is the smallest unit; tokens are counted.",
  "max_tokens: 4096, total_tokens=4500",
  "token: string",
  "the secret: keep it simple",
  "password: string | undefined",
  "password: Schema.String,",
  "const token = getToken()",
  "const token = process.env.TOKEN",
  "f(password=password, token=self.token)",
  "api_key=os.environ['KEY']",
  ["api_key: $", "{API_KEY}"].join(""),
  "Authorization: Bearer <token>",
  ["Authorization: Bearer $", "{token}"].join(""),
  "Bearer authentication and Basic authentication are supported",
  "Basic usage of the library",
  "ssh://git@github.com/a/b.git and https://example.com/@scope/name",
  "mailto:bob@example.com https://user@example.com",
  "a task-management-system-for-teams, risk-based-testing-of-things",
  "run `npm_config_registry=x npm ci`",
  "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
  "eos_token: '</s>', nextPageToken: 'CAUQAA1234567890'",
  "token_env: TELEMETRY_API_TOKEN",
  "see https://example.com/docs?tab=api#password",
  "Secrets: never commit them",
  'fetch(url, { credentials: "include" })',
  "fetch(url, { credentials: 'same-origin' })",
  "interface Signer {\n  readonly secret: Uint8Array\n  privateKey: Uint8Array\n  password: Uint8Array;\n}",
  "type Keys = { privateKey: Ed25519PrivateKey, secret: SecretString }",
  "  apiKey: Redacted\n  clientSecret: client_secret\n  token: AccessToken",
  'shortcut({ accessKey: "Control" })',
  'match({ token: "identifier_name_x" })',
  'header({ apiKey: "x-api-key", token: "identifierNameOfToken", secret: "base64EncodedValue" })',
  'sign({ secretKey: "JWT_SECRET_KEY" })',
  'const ACCESS_TOKEN = "access_token", SECRET_KEY = "JWT_SECRET_KEY"',
  '{ password: "Enter your password", password: "DB_PASSWORD" }',
  "mysql --password, then --token value and --secret name; use --password to be asked",
  "docker run -u 1000:1000 --user node:node image",
  "curl -u user:password https://example.com",
  "<Token>identifier</Token> <secret>Hello</secret> <password>password</password>",
]

const redactor = Redaction.make()

describe("Redaction", () => {
  for (const [kind, surround, secret] of SECRETS) {
    it(`takes out ${kind} from ${JSON.stringify(surround("…"))} and says so`, () => {
      const { value, redactions } = redactor.redact({ text: surround(secret) })
      expect(JSON.stringify(value)).not.toContain(JSON.stringify(secret).slice(1, -1))
      expect(redactions.map((redaction) => redaction.kind)).toContain(kind)
      expect(redactions.every((redaction) => redaction.path === "$.text")).toBe(true)
    })
  }

  for (const text of HARMLESS) {
    it(`leaves ${JSON.stringify(text.slice(0, 70))} as it is`, () => {
      expect(redactor.redact(text)).toEqual({ value: text, redactions: [] })
    })
  }

  it("of a private key that was cut off nothing stays, whatever header lines it has", () => {
    const pgp = ["-----BEGIN PGP PRIVATE KEY BLOCK-----", "Version: GnuPG v2", "", run(64), run(64)].join("\n")
    for (const cut of [encryptedPem.split("-----END")[0] ?? "", pgp])
      for (const text of [cut, cut.replaceAll("\n", "\\n"), cut.replaceAll("\n", "\r\n")])
        expect(redactor.redactText(`a ${text}`)).toBe("a [REDACTED:private_key]")
  })

  it("names the place of each secret as a JSON path and counts repeats", () => {
    const key = `sk-ant-${run(30)}`
    const { redactions } = redactor.redact({ a: [{ "b c": `${key} and ${key}` }], [key]: 1 }, "$.request")
    expect(redactions).toEqual([
      { path: '$.request.a[0]["b c"]', kind: "anthropic_key", count: 2 },
      { path: "$.request", kind: "anthropic_key", count: 1 },
    ])
  })

  it("takes the member of a secret name whole, and leaves numbers and ordinary names", () => {
    const { value } = redactor.redact({
      password: "swordfish",
      token: 4096,
      max_tokens: 5,
      clientSecret: "k8Qz71Lm",
      credentials: "include",
      user: "bob",
    })
    expect(value).toEqual({
      password: "[REDACTED:password]",
      token: 4096,
      max_tokens: 5,
      clientSecret: "[REDACTED:secret]",
      credentials: "include",
      user: "bob",
    })
  })

  it("takes out given secrets in any form, longest first, and ignores ones too short to tell", () => {
    const own = Redaction.make(['my "own" secret/1', "my", "own"])
    const text = `a my "own" secret/1 b ${JSON.stringify('my "own" secret/1')} c ${encodeURIComponent('my "own" secret/1')}`
    expect(own.redactText(text)).toBe('a [REDACTED:known_secret] b "[REDACTED:known_secret]" c [REDACTED:known_secret]')
  })

  it("a secret embedded anywhere in any JSON value never survives", () => {
    const secret = FastCheck.constantFrom(...SECRETS)
    const around = FastCheck.string({ maxLength: 40 })
    FastCheck.assert(
      FastCheck.property(secret, around, around, FastCheck.jsonValue(), ([, surround, hidden], before, after, rest) => {
        const text = `${before}\n${surround(hidden)}\n${after}`
        const { value, redactions } = redactor.redact({ rest, deep: [{ text }, text] })
        expect(JSON.stringify(value)).not.toContain(JSON.stringify(hidden).slice(1, -1))
        expect(redactions.length).toBeGreaterThan(0)
      }),
      { numRuns: 500 },
    )
  })

  it("a given secret never survives, wherever it stands", () => {
    const known = "zq7-given-secret-ü"
    const own = Redaction.make([known])
    FastCheck.assert(
      FastCheck.property(FastCheck.string(), FastCheck.string(), FastCheck.string(), (before, after, key) => {
        const { value } = own.redact({ [`${key}${known}`]: `${before}${known}${after}` })
        expect(JSON.stringify(value)).not.toContain(known)
      }),
    )
  })

  it("what was redacted once has nothing left to redact", () => {
    for (const [, surround, secret] of SECRETS) {
      const once = redactor.redactText(surround(secret))
      expect(redactor.redactText(once)).toBe(once)
    }
  })

  it("a run longer than any stack of an expression is read, not thrown at the caller", () => {
    const long = "A".repeat(9 * 1024 * 1024)
    for (const start of ["sk-ant-", "eyJ", "-----BEGIN PRIVATE KEY-----\n"])
      expect(redactor.redactText(start + long).length).toBeGreaterThan(0)
    expect(redactor.redactText(`-----BEGIN PRIVATE KEY-----\n${`${"A".repeat(64)}\n`.repeat(150_000)}`)).toBe(
      "[REDACTED:private_key]",
    )
  }, 120_000)

  it("text without any secret comes back the same, whatever it is", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.lorem(), { maxLength: 20 }), (words) => {
        expect(redactor.redactText(words.join(" "))).toBe(words.join(" "))
      }),
    )
  })

  it("a text that was found clean stays clean for this redactor alone, and a secret is found each time", () => {
    const plain = Redaction.make()
    const own = Redaction.make(["swordfish"])
    for (let round = 0; round < 3; round++) {
      expect(plain.redactText("swordfish")).toBe("swordfish")
      expect(own.redactText("swordfish")).toBe("[REDACTED:known_secret]")
      expect(own.redact({ role: "swordfish", swordfish: "role" }).redactions).toHaveLength(2)
    }
  })

  // Nothing is timed: a rule that is not linear would need hours here.
  for (const [name, unit] of [
    ["words", "lorem ipsum dolor "],
    ["one long run", "a"],
    ["starts of tokens", "eyJ"],
    ["starts of keys", "sk-ant-"],
    ["assignments", "token="],
    ["quoted assignments", 'password:"'],
    ["private keys without an end", "-----BEGIN PRIVATE KEY-----\nx"],
    ["URLs without a host", "a://b:c"],
    ["blanks", " "],
    ["options", "--password a "],
    ["elements", "<password>"],
    ["commands", "curl -u a:"],
    ["headers", "Bearer  "],
    ["AWS ids", "AKIAAAAAAAAAAAAAAAAA "],
  ] as const) {
    it(`reads 2 MB of ${name} without stalling`, () => {
      const text = unit.repeat(Math.ceil((2 * 1024 * 1024) / unit.length))
      expect(redactor.redactText(text).length).toBeGreaterThan(0)
    }, 120_000)
  }
})
