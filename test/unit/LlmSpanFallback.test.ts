import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as LlmClientFallback from "../../layers/LlmClientFallback.js"
import { LlmClient } from "../../services/LlmClient.js"
import type { LlmError } from "../../src/domain/Llm.js"
import { project } from "../../src/domain/Project.js"
import { LlmSpan } from "../../src/telemetry/LlmSpan.js"
import { answer, clientOf, dripping, events, failing, PIECES, recording, request } from "../support/ScriptedStream.js"

it.effect("an answer of a fallback is recorded at the first's address", () => {
  const second = clientOf("anthropic", dripping([...PIECES, { _tag: "Finished", response: answer }]))
  const elsewhere = Layer.map(second, (context) => {
    const llm = Context.get(context, LlmClient)
    return Context.make(LlmClient, { ...llm, baseUrl: "http://elsewhere", generate: () => Effect.succeed(answer) })
  })
  const client = LlmClientFallback.layer({
    primary: clientOf("anthropic", () => Stream.fail(failing({}))),
    alternates: [{ client: elsewhere }],
  })
  return Effect.gen(function* () {
    const llm = yield* LlmSpan
    yield* llm.generate(request)
    yield* Stream.runDrain(llm.stream(request))
    yield* Stream.runDrain(Stream.take(llm.stream(request), 1))
    const all = yield* events
    const ends = all.filter(({ type }) => type !== "LLM_CALL_STARTED")
    expect(ends.map(({ payload }) => Reflect.get(payload, "provider_base_url"))).toEqual(
      ends.map(() => "http://elsewhere"),
    )
    const contexts = project(all).filter(({ op }) => op === "update")
    expect(contexts.map((update) => Reflect.get(update, "context_json"))).toMatchObject(
      ends.map(() => ({ provider: "anthropic", provider_base_url: "http://elsewhere" })),
    )
    expect(ends).toHaveLength(3)
  }).pipe(Effect.provide(recording(client)))
})

describe("a call of which all fallbacks failed", () => {
  const last = failing({ reason: "ServerError", status: 500 })
  const dead = (provider: string, error: LlmError) => clientOf(provider, () => Stream.fail(error), error)
  const client = LlmClientFallback.layer({
    primary: dead("anthropic", failing({})),
    alternates: [{ client: dead("openai", last), model: "gpt-5" }],
  })

  for (const [how, ask] of [
    ["at once", (llm: LlmSpan["Type"]) => llm.generate(request)],
    ["as a stream", (llm: LlmSpan["Type"]) => Stream.runDrain(llm.stream(request))],
  ] as const)
    it.effect(`${how}, it is recorded as the first's`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(
          Effect.flatMap(LlmSpan, (llm): Effect.Effect<void, LlmError> => Effect.asVoid(ask(llm))),
        )
        expect(error).toMatchObject({ reason: "ServerError", provider: "openai" })
        const [, failed] = yield* events
        expect(failed?.payload).toMatchObject({
          ...{ provider: "openai", provider_base_url: "http://openai" },
          error_class: "ServerError",
          attempts: [
            { n: 1, provider: "anthropic" },
            { n: 2, provider: "openai", model: "gpt-5" },
          ],
        })
      }).pipe(Effect.provide(recording(client))),
    )
})
