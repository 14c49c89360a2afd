import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type { LlmFallback, LlmSettings, Provider } from "../domain/RunConfig.js"
import { type CommandError, usage } from "./CommandError.js"
import type { Alternate, Answerer } from "./Wiring.js"

/** A provider's key and address, where they are known. */
export interface Access {
  readonly apiKey: Option.Option<Redacted.Redacted<string>>
  readonly baseUrl: Option.Option<string>
}

/** Who is asked when the launch's own provider fails in a way that another try might mend. */
export interface FallbackSettings extends Access {
  readonly provider: Provider
  readonly model: Option.Option<string>
}

const KEYS = { anthropic: "ANTHROPIC_API_KEY", openai: "OPENAI_API_KEY" } as const

const one = (
  wanted: LlmFallback,
  place: number,
  own: Access & { readonly provider: Provider },
  accessOf: (provider: Provider) => Access,
): Effect.Effect<FallbackSettings, CommandError> => {
  const provider = wanted.provider ?? own.provider
  const access = provider === own.provider ? own : accessOf(provider)
  const baseUrl = Option.orElse(Option.fromNullable(wanted.base_url), () => access.baseUrl)
  const model = Option.fromNullable(wanted.model)
  const name = `llm.fallback[${place}]`
  if (provider !== own.provider && Option.isNone(model)) {
    return Effect.fail(
      usage(`${name} turns to ${provider}, which does not know the models of ${own.provider}. Name its model there.`),
    )
  }
  const needsKey = provider === "anthropic" || (provider === "openai" && Option.isNone(baseUrl))
  if (needsKey && Option.isNone(access.apiKey)) {
    return Effect.fail(usage(`${name} turns to ${provider}, which needs a key. Set ${KEYS[provider]}, or take it out.`))
  }
  return Effect.succeed({ provider, model, apiKey: access.apiKey, baseUrl })
}

/** The fallbacks of a launch, each with its key and address; evidence that is replayed needs none. */
export const resolve = (
  { fallback = [] }: Pick<LlmSettings, "fallback">,
  own: Access & { readonly provider: Provider },
  accessOf: (provider: Provider) => Access,
): Effect.Effect<ReadonlyArray<FallbackSettings>, CommandError> =>
  own.provider === "replay"
    ? Effect.succeed([])
    : Effect.forEach(fallback, (wanted, place) => one(wanted, place, own, accessOf))

/** Who answers in place of `primary`. A fallback of the sandbox is the same sandbox, unless it has an address of its own. */
export const alternates = (fallbacks: ReadonlyArray<FallbackSettings>, primary: Answerer): ReadonlyArray<Alternate> =>
  fallbacks.flatMap(({ apiKey, baseUrl, model, provider }): ReadonlyArray<Alternate> => {
    const named = { model: Option.getOrUndefined(model) }
    if (provider === "openai") return [{ answerer: { kind: "chat-completions", apiKey, baseUrl }, ...named }]
    if (primary.kind === "messages-api" && primary.sandbox && provider === "sandbox")
      return [{ answerer: { ...primary, baseUrl: Option.orElse(baseUrl, () => primary.baseUrl) }, ...named }]
    const key = Option.getOrElse(apiKey, () => Redacted.make(""))
    return [{ answerer: { kind: "messages-api", apiKey: key, baseUrl, sandbox: false }, ...named }]
  })
