import { initLogger } from "braintrust"
import { answer, measure, model, prompt, sink, usage } from "./measure.mjs"

const logger = initLogger({
  projectName: "overhead",
  projectId: "00000000-0000-4000-8000-000000000001",
  apiKey: "key",
  appUrl: sink,
  asyncFlush: true,
})

await measure({
  once: (name) => {
    const span = logger.startSpan({
      name: "chat",
      spanAttributes: { type: "llm" },
      event: { input: [{ role: "user", content: prompt }], metadata: { model, name } },
    })
    span.log({
      output: [{ role: "assistant", content: answer }],
      metrics: { prompt_tokens: usage.input, completion_tokens: usage.output, tokens: usage.total },
    })
    span.end()
  },
  flush: () => logger.flush(),
})
