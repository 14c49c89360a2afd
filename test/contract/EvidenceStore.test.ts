import type { PlatformError } from "@effect/platform/Error"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { RunFolderError } from "../../layers/CurrentRunFolder.js"
import * as EvidenceStoreFiles from "../../layers/EvidenceStoreFiles.js"
import * as EvidenceStoreMemory from "../../layers/EvidenceStoreMemory.js"
import { type EvidenceError, EvidenceStore } from "../../services/EvidenceStore.js"
import type { Capture } from "../../src/domain/Evidence.js"
import * as EvidenceSamples from "../support/EvidenceSamples.js"
import * as RunFolders from "../support/RunFolders.js"

const KEY = "sk-ant-api03-0123456789abcdefghijklmnopqrstuvwxyz"
const KNOWN = "a-word-only-we-know"
const secrets = [Redacted.make(KNOWN)]

const layers: Readonly<
  Record<string, (capture: Capture) => Layer.Layer<EvidenceStore, EvidenceError | RunFolderError | PlatformError>>
> = {
  EvidenceStoreMemory: (capture) => EvidenceStoreMemory.layer({ capture, secrets }),
  EvidenceStoreFiles: (capture) => Layer.provide(EvidenceStoreFiles.layer({ capture, secrets }), RunFolders.run),
}

const { success, failed, promptHash } = EvidenceSamples

for (const [name, layer] of Object.entries(layers)) {
  describe(name, () => {
    it.scoped("what was kept comes back whole; an unknown call is none", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        yield* store.put(success("call_1"))
        expect(yield* store.get("call_1")).toEqual(Option.some({ ...success("call_1"), redactions: [] }))
        expect(yield* store.get("call_2")).toEqual(Option.none())
        expect(yield* store.findByPrompt(promptHash("call_2"))).toEqual(Option.none())
      }).pipe(Effect.provide(layer("redacted"))),
    )

    it.scoped("known secrets and secrets of known shapes are gone, and it says where they were", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        yield* store.put(success("call_1", { asked: `use ${KEY} and ${KNOWN}`, answered: "fine" }))
        yield* store.put(failed("call_2", `refused: Bearer ${KEY}`))
        const kept = Option.getOrThrow(yield* store.get("call_1"))
        expect(JSON.stringify([kept, yield* store.get("call_2")])).not.toMatch(/sk-ant-api03-|a-word-only-we-know/)
        expect(kept.redactions).toEqual([
          { path: "$.request.messages[0].content", kind: "known_secret", count: 1 },
          { path: "$.request.messages[0].content", kind: "anthropic_key", count: 1 },
        ])
      }).pipe(Effect.provide(layer("redacted"))),
    )

    it.scoped(
      "an answer is found by its prompt, also when only the request held a secret; the earliest call wins",
      () =>
        Effect.gen(function* () {
          const store = yield* EvidenceStore
          yield* store.put(success("late", { prompt: "p", timestamp: "2026-01-01T00:00:02.000Z" }))
          expect(Option.map(yield* store.findByPrompt(promptHash("p")), (it) => it.call_id)).toEqual(
            Option.some("late"),
          )
          yield* store.put(success("early", { prompt: "p", timestamp: "2026-01-01T00:00:01.000Z", asked: KEY }))
          yield* store.put(success("b", { prompt: "p", timestamp: "2026-01-01T00:00:01.000Z" }))
          const found = Option.getOrThrow(yield* store.findByPrompt(promptHash("p")))
          expect(found.call_id).toBe("b")
        }).pipe(Effect.provide(layer("redacted"))),
    )

    it.scoped("a failure and an answer in which redaction changed something are a miss", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        yield* store.put(failed("call_1", "no"))
        yield* store.put(success("call_2", { answered: `your key is ${KEY}` }))
        expect(yield* store.findByPrompt(promptHash("call_1"))).toEqual(Option.none())
        expect(yield* store.findByPrompt(promptHash("call_2"))).toEqual(Option.none())
      }).pipe(Effect.provide(layer("redacted"))),
    )

    it.scoped("a call's later evidence replaces its earlier one, also for the search", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        yield* store.put(success("call_1"))
        expect(Option.isSome(yield* store.findByPrompt(promptHash("call_1")))).toBe(true)
        yield* store.put(failed("call_1", "changed its mind"))
        expect(Option.getOrThrow(yield* store.get("call_1")).status).toBe("failure")
        expect(yield* store.findByPrompt(promptHash("call_1"))).toEqual(Option.none())
      }).pipe(Effect.provide(layer("redacted"))),
    )

    it.scoped("capture full keeps everything as it was and may answer", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        yield* store.put(success("call_1", { answered: KEY }))
        expect(JSON.stringify(yield* store.get("call_1"))).toContain(KEY)
        expect(Option.isSome(yield* store.findByPrompt(promptHash("call_1")))).toBe(true)
      }).pipe(Effect.provide(layer("full"))),
    )

    it.scoped("capture hash keeps neither question nor answer, and never answers", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        yield* store.put(success("call_1", { asked: "the question", answered: "the answer" }))
        const kept = Option.getOrThrow(yield* store.get("call_1"))
        expect(JSON.stringify(kept)).not.toMatch(/the question|the answer/)
        expect(kept).toMatchObject({ capture: "hash", request: expect.stringMatching(/^[0-9a-f]{64}$/) })
        expect(kept).toMatchObject({ response: expect.stringMatching(/^[0-9a-f]{64}$/) })
        expect(yield* store.findByPrompt(promptHash("call_1"))).toEqual(Option.none())
      }).pipe(Effect.provide(layer("hash"))),
    )

    it.scoped("capture off keeps nothing and says so", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        yield* store.put(success("call_1"))
        expect(store.pathOf("call_1")).toBeNull()
        expect(yield* store.get("call_1")).toEqual(Option.none())
        expect(yield* store.findByPrompt(promptHash("call_1"))).toEqual(Option.none())
      }).pipe(Effect.provide(layer("off"))),
    )

    it.scoped("call ids that are no file names keep their own evidence under a safe relative path", () =>
      Effect.gen(function* () {
        const store = yield* EvidenceStore
        const ids = ["../../escape", "a/b", "a b", "A b", "..", "con", "x~2", "ü".repeat(300)]
        for (const id of ids) yield* store.put(success(id, { answered: id }))
        for (const id of ids) {
          expect(store.pathOf(id)).toMatch(/^evidence\/llm_calls\/[A-Za-z0-9._~-]{1,130}\.json$/)
          const kept = Option.getOrThrow(yield* store.get(id))
          expect(kept).toMatchObject({ call_id: id, response: { content: [{ text: id }] } })
        }
        expect(new Set(ids.map(store.pathOf)).size).toBe(ids.length)
        expect(store.pathOf("call_1")).toBe("evidence/llm_calls/call_1.json")
      }).pipe(Effect.provide(layer("redacted"))),
    )
  })
}

describe("a secret that is a word of the schema", () => {
  it.scoped("leaves hashes, not evidence that nobody can read", () =>
    Effect.gen(function* () {
      const store = yield* EvidenceStore
      yield* store.put(success("call_1", { asked: "hello" }))
      expect(Option.getOrThrow(yield* store.get("call_1")).capture).toBe("hash")
    }).pipe(Effect.provide(EvidenceStoreMemory.layer({ capture: "redacted", secrets: [Redacted.make("user")] }))),
  )
})
