import type { Usage, UsageSource } from "./UsageClasses.js"
import {
  type CountReader,
  countReader,
  listAt,
  memberAt,
  objectAt,
  sorted,
  sumOf,
  textAt,
  toolsUsed,
  wordUnless,
} from "./UsageReport.js"

/** The words that change no price. */
const ORDINARY_TIER = ["standard", "default", "on_demand", "traffic_type_unspecified", "service_tier_unspecified"]

const ofModality = ({ countAt }: CountReader, usage: unknown, modality: string, ...lists: ReadonlyArray<string>) =>
  sumOf(
    ...lists
      .flatMap((list) => listAt(usage, list))
      .filter((detail) => memberAt(detail, "modality") === modality)
      .map((detail) => countAt(detail, "tokenCount")),
  )

const searches = (response: unknown): number =>
  listAt(response, "candidates").flatMap((candidate) =>
    listAt(memberAt(candidate, "groundingMetadata"), "webSearchQueries"),
  ).length

/** `ON_DEMAND_PRIORITY` is what others call `priority`. */
const tierOf = (usage: unknown): string | undefined =>
  textAt(usage, "serviceTier") ?? textAt(usage, "trafficType")?.replace(/^ON_DEMAND_(?=.)/, "")

/**
 * Usage of the Gemini API and of Vertex, of `usageMetadata` or of the response that has it: the prompt count includes what was
 * cached and what tools put into it is beside; thoughts are beside the candidates. Video and documents are counted with the
 * text, whose price they have. In a stream every chunk's usage is cumulative: the last one counts.
 */
export const fromGemini = (response: unknown, source: UsageSource = "provider"): Usage => {
  const usage = objectAt(response, "usageMetadata") ?? response
  const reader = countReader()
  const { countAt } = reader
  const thoughts = countAt(usage, "thoughtsTokenCount")
  const prompts = ["promptTokensDetails", "toolUsePromptTokensDetails"]
  const answers = ["candidatesTokensDetails", "responseTokensDetails"]
  return sorted(
    {
      prompt: sumOf(countAt(usage, "promptTokenCount"), countAt(usage, "toolUsePromptTokenCount")),
      cacheRead: countAt(usage, "cachedContentTokenCount"),
      audioInput: ofModality(reader, usage, "AUDIO", ...prompts),
      imageInput: ofModality(reader, usage, "IMAGE", ...prompts),
      audioCacheRead: ofModality(reader, usage, "AUDIO", "cacheTokensDetails"),
      imageCacheRead: ofModality(reader, usage, "IMAGE", "cacheTokensDetails"),
      output: sumOf(countAt(usage, "candidatesTokenCount", "responseTokenCount"), thoughts),
      reasoning: thoughts,
      audioOutput: ofModality(reader, usage, "AUDIO", ...answers),
      imageOutput: ofModality(reader, usage, "IMAGE", ...answers),
      total: countAt(usage, "totalTokenCount"),
      serverTools: toolsUsed({ google_search: searches(response) }),
      serviceTier: wordUnless(ORDINARY_TIER, tierOf(usage)),
      doubts: reader.doubts,
    },
    source,
  )
}
