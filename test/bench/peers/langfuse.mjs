import { LangfuseSpanProcessor } from "@langfuse/otel"
import { setLangfuseTracerProvider, startObservation } from "@langfuse/tracing"
import { BasicTracerProvider } from "@opentelemetry/sdk-trace-base"
import { answer, measure, model, prompt, sink, usage } from "./measure.mjs"

const processor = new LangfuseSpanProcessor({ publicKey: "pk", secretKey: "sk", baseUrl: sink, flushInterval: 0.2 })
setLangfuseTracerProvider(new BasicTracerProvider({ spanProcessors: [processor] }))

await measure({
  once: (name) => {
    const generation = startObservation(
      "chat",
      { model, input: [{ role: "user", content: prompt }], metadata: { name } },
      { asType: "generation" },
    )
    generation.update({ output: { role: "assistant", content: answer }, usageDetails: usage }).end()
  },
  flush: () => processor.forceFlush(),
})
