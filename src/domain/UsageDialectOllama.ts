import type { Usage, UsageSource } from "./UsageClasses.js"
import { countReader, sorted } from "./UsageReport.js"

/** Usage of Ollama's own API, of its final answer: without a prompt count, as where the prompt was in its memory, it is a lower bound. */
export const fromOllama = (answer: unknown, source: UsageSource = "provider"): Usage => {
  const { countAt, doubts } = countReader()
  return sorted({ prompt: countAt(answer, "prompt_eval_count"), output: countAt(answer, "eval_count"), doubts }, source)
}
