import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { livePrices } from "../../services/LivePrices.js"
import { RunStore } from "../../services/RunStore.js"
import * as PriceAge from "../domain/PriceAge.js"
import { VERSION } from "../domain/Version.js"
import { Api } from "./Api.js"
import * as ApiDocument from "./ApiDocument.js"
import * as DocsPage from "./DocsPage.js"
import { hidden } from "./StoreErrors.js"

/** The handlers of {@link Api}'s system group. */
export const layer = HttpApiBuilder.group(Api, "system", (handlers) =>
  Effect.gen(function* () {
    const store = yield* RunStore
    const { unsafeCurrent, oldAfterDays } = yield* livePrices
    const page = yield* Effect.cached(Effect.sync(() => DocsPage.render(ApiDocument.make())))
    return handlers
      .handle("health", () =>
        Effect.gen(function* () {
          const age = PriceAge.of(unsafeCurrent().readOn, yield* Clock.currentTimeMillis, oldAfterDays)
          return {
            status: "ok" as const,
            version: VERSION,
            db_path: store.info.path,
            journal_mode: store.info.journalMode,
            synchronous: store.info.synchronous,
            integrity: yield* store.keeping.integrity,
            ...(age === null ? {} : { prices: age }),
          }
        }),
      )
      .handle("ready", () => hidden(Effect.as(store.ping, { status: "ready" as const })))
      .handleRaw("home", () => Effect.succeed(HttpServerResponse.redirect("/docs", { status: 307 })))
      .handleRaw("docs", () =>
        Effect.map(page, (html) =>
          HttpServerResponse.html(html).pipe(
            HttpServerResponse.setHeader("content-security-policy", DocsPage.CONTENT_SECURITY_POLICY),
          ),
        ),
      )
      .handleRaw("openapi", () => Effect.sync(() => HttpServerResponse.unsafeJson(ApiDocument.make())))
      .handleRaw("metrics", () =>
        hidden(
          Effect.gen(function* () {
            const metrics = yield* store.metrics(yield* Clock.currentTimeMillis)
            const integrity = yield* store.keeping.integrity
            return HttpServerResponse.unsafeJson({ ...metrics, performance: { ...metrics.performance, integrity } })
          }),
        ),
      )
      .handleRaw("metadata", () =>
        hidden(Effect.map(store.metadata, (metadata) => HttpServerResponse.unsafeJson(metadata))),
      )
  }),
)
