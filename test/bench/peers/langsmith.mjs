import { Client } from "langsmith"
import { RunTree } from "langsmith/run_trees"
import { answer, measure, model, prompt, sink, usage } from "./measure.mjs"

const client = new Client({ apiUrl: sink, apiKey: "key", autoBatchTracing: true })

await measure({
  once: async (name) => {
    const run = new RunTree({
      name: "chat",
      run_type: "llm",
      client,
      project_name: "overhead",
      inputs: { messages: [{ role: "user", content: prompt }] },
      extra: { metadata: { ls_model_name: model, ls_provider: "anthropic", name } },
      tracingEnabled: true,
    })
    await run.postRun()
    await run.end({
      messages: [{ role: "assistant", content: answer }],
      usage_metadata: { input_tokens: usage.input, output_tokens: usage.output, total_tokens: usage.total },
    })
    await run.patchRun()
  },
  flush: () => client.awaitPendingTraceBatches(),
})
