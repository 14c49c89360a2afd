import { createServer } from "node:http"
import * as HttpRouter from "@effect/platform/HttpRouter"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LlmClientAnthropic from "../../layers/LlmClientAnthropic.js"
import * as Runledger from "../../layers/Runledger.js"
import { Llm, LlmSpan, RotatingRun } from "../index.js"

/** Answers one question; the call goes into the run of the day. */
const answer = Effect.gen(function* () {
  const { text } = yield* HttpServerRequest.HttpServerRequest
  const content = yield* text
  const llm = yield* LlmSpan
  const reply = yield* llm.generate({
    model: "claude-sonnet-4-5",
    messages: [{ role: "user", content }],
    temperature: 0,
    maxTokens: 200,
  })
  return HttpServerResponse.text(Llm.text(reply))
})

/** A new run for each day of UTC on which something is asked. */
const Recorded = RotatingRun.layer({
  created: { agent_name: "answers", job_type: "server" },
  run: (day) => Runledger.layer({ name: `answers-${day.name}` }),
}).pipe(Layer.provide(LlmClientAnthropic.layerConfig()))

const router = HttpRouter.empty.pipe(HttpRouter.post("/answers", answer))

/** `NodeRuntime.runMain(Layer.launch(DailyServer.layer(8080)))` runs it until it is told to stop. */
export const layer = (port: number) =>
  HttpServer.serve(router).pipe(
    Layer.provide(Recorded),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port })),
  )
