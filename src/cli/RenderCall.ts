import * as Option from "effect/Option"
import type { Evidence } from "../domain/Evidence.js"
import type { RunRecord } from "../domain/Run.js"
import { inert, type Style } from "./Ansi.js"
import * as CallRow from "./CallRow.js"
import { type CallText, textsOf } from "./CallTexts.js"
import * as Figures from "./Figures.js"
import { status } from "./RenderTree.js"

/** A call with what its run's folder has of it; in place of the evidence why there is none. */
export interface ShownCall {
  readonly run: RunRecord
  readonly kept: Option.Option<{ readonly file: string; readonly evidence: Evidence }>
  readonly missing: string
}

/** Characters of one text that are shown unless all are asked for. */
const SHOWN = 2000

const cut = (text: string): string => text.slice(0, SHOWN).replace(/[\ud800-\udbff]$/, "")

const lines = (text: string): ReadonlyArray<string> => text.split(/\r\n|\r|\n/).map((line) => `  ${inert(line)}`)

const section = (style: Style, { title, text }: CallText, isFull: boolean): ReadonlyArray<string> => {
  const shown = isFull || text.length <= SHOWN ? text : cut(text)
  const more = text.length - shown.length
  return [
    "",
    style.bold(title),
    ...lines(shown),
    ...(more === 0 ? [] : [style.dim(`  … ${Figures.plural(more, "character")} more; --full shows all`)]),
  ]
}

const redactions = ({ redactions: removed }: Evidence): ReadonlyArray<readonly [string, string]> =>
  removed.length === 0
    ? []
    : [
        [
          "removed",
          inert(removed.map(({ count, kind, path }) => `${Figures.count(count)} × ${kind} at ${path}`).join(", ")),
        ],
      ]

const facts = (style: Style, { run, kept, missing }: ShownCall): ReadonlyArray<readonly [string, string]> => {
  const call = CallRow.fromRun(run)
  const provider = call.provider === null ? "" : ` (${inert(call.provider)})`
  const cost = Figures.callCost(call.costNanoUsd, call.costStatus)
  const used =
    call.inputTokens === null && call.outputTokens === null
      ? "nobody told"
      : `${Figures.count(call.inputTokens ?? 0)} tokens in, ${Figures.count(call.outputTokens ?? 0)} out, ${cost}`
  return [
    ["call", `${style.bold(inert(call.callId))}  ${status(style, run.status)}`],
    ["run", inert(CallRow.launchOf(call))],
    ["started", Figures.instant(run.start_time)],
    ["model", `${inert(CallRow.modelOf(call))}${provider}`],
    ["used", used],
    ...(run.status === "running" || call.latencyMs === null
      ? []
      : [["took", Figures.duration(call.latencyMs)] as const]),
    ...(call.finishReason === null ? [] : [["ended", inert(call.finishReason)] as const]),
    ...(Option.isSome(kept)
      ? [["evidence", inert(kept.value.file)] as const, ...redactions(kept.value.evidence)]
      : [["evidence", inert(missing)] as const]),
  ]
}

const errorOf = ({ run, kept }: ShownCall): ReadonlyArray<CallText> => {
  const filed = Option.getOrUndefined(kept)?.evidence.error
  const summary =
    filed === undefined ? CallRow.fromRun(run).error : `${filed.reason ?? filed.error_class}: ${filed.message}`
  if (run.status === "success" || summary === null) return []
  return [{ title: "ERROR", text: run.error_details === null ? summary : `${summary}\n${run.error_details}` }]
}

/** A call's facts, its question, its answer and its error. Long texts are cut unless all of them is asked for. */
export const render = (style: Style, call: ShownCall, isFull: boolean): string => {
  const texts = Option.match(call.kept, { onNone: () => [], onSome: ({ evidence }) => textsOf(evidence) })
  return [
    ...facts(style, call).map(([name, value]) => `${style.dim(name.padEnd(10))}${value}`),
    ...[...texts, ...errorOf(call)].flatMap((text) => section(style, text, isFull)),
  ].join("\n")
}
