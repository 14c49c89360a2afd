import * as Schema from "effect/Schema"
import { sha256Hex } from "./CanonicalJson.js"
import { isPlainText } from "./JsonText.js"

/** The idempotency key of a write: any non-empty text of at most 255 characters; ours are UUIDv7. */
export const EventId = Schema.String.pipe(
  Schema.minLength(1),
  Schema.maxLength(255),
  Schema.filter(isPlainText, { message: () => "expected an id without NUL and lone surrogates", jsonSchema: {} }),
)

/** W3C trace id, 32 lower-case hex digits. */
export const TraceId = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{32}$/))

/** W3C span id, 16 lower-case hex digits. */
export const SpanId = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{16}$/))

/** sha256, 64 lower-case hex digits. */
export const Sha256 = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/))

/** The `prev_hash` of a log's first line. */
export const GENESIS_HASH = "0".repeat(64)

/** Lower-case words joined by `-`, never empty. */
export const slug = (text: string, fallback = "unnamed"): string => {
  const words = text
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60)
    .replace(/-+$/g, "")
  return words === "" ? fallback : words
}

/** `r_<YYYYMMDDTHHMMSSZ>_launch_<product_slug>_<ref7>_<first 8 hex of sha256(config)>`, every part sanitised. */
export const launchRunId = (parts: {
  readonly startedAtMillis: number
  readonly product: string
  readonly ref: string
  readonly configHash: string
}): string => {
  const stamp = new Date(parts.startedAtMillis).toISOString().replace(/[-:]/g, "").replace(/\.\d+/, "")
  const ref7 = parts.ref.replace(/[^A-Za-z0-9]/g, "").slice(0, 7) || "noref"
  return `r_${stamp}_launch_${slug(parts.product)}_${ref7}_${parts.configHash.slice(0, 8)}`
}

/** A worker's run id, also its work_item_id: `run-001:W2.FactsBuilder:1`. */
export const workerRunId = (runId: string, worker: string, attempt: number): string => `${runId}:${worker}:${attempt}`

/** A call's run id: `run-001-llm-enrich_claims_batch_001`. */
export const callRunId = (runId: string, callId: string): string => `${runId}-llm-${callId}`

const SAFE_NAME = /^[A-Za-z0-9._-]{1,120}(~\d{1,6})?$/
const WINDOWS_DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/**
 * A file or folder name made of an id: kept when it is made of `[A-Za-z0-9._-]` and at most 120 characters (a `~2` of a
 * repeat included), otherwise a slug and a short hash, so that two ids never share a file and none leaves its folder.
 */
export const fileName = (id: string): string => {
  if (SAFE_NAME.test(id) && !id.startsWith(".") && !id.endsWith(".") && !WINDOWS_DEVICE.test(id)) return id
  return `${slug(id, "id")}-${sha256Hex(id).slice(0, 12)}`
}

/** The n-th use of a call id in one run: `x`, `x~2`, `x~3` … */
export const repeated = (id: string, use: number): string => (use <= 1 ? id : `${id}~${use}`)
