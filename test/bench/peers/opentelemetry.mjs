import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { answer, measure, model, prompt, sink, usage } from "./measure.mjs"

const exporter = new OTLPTraceExporter({ url: `${sink}/v1/traces` })
const processor = new BatchSpanProcessor(exporter, { maxQueueSize: 1_000_000, scheduledDelayMillis: 200 })
const tracer = new BasicTracerProvider({ spanProcessors: [processor] }).getTracer("overhead")

await measure({
  once: (name) => {
    const span = tracer.startSpan(`chat ${model}`, {
      attributes: {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": model,
        "gen_ai.conversation.id": name,
        "gen_ai.input.messages": prompt,
      },
    })
    span.setAttributes({
      "gen_ai.output.messages": answer,
      "gen_ai.usage.input_tokens": usage.input,
      "gen_ai.usage.output_tokens": usage.output,
    })
    span.end()
  },
  flush: () => processor.forceFlush(),
})
