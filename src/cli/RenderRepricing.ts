import { NO_TOKENS } from "../domain/CallParts.js"
import { NO_MODEL } from "../domain/CallPricing.js"
import type { ModelRepriced, Repriced, RepricedCall, RepriceFilter, Repricing, Unknown } from "../domain/Repricing.js"
import { inert, type Style } from "./Ansi.js"
import * as Figures from "./Figures.js"
import * as Table from "./Table.js"

type Sums = Pick<Repriced, "calls" | "newly_priced" | "old_cost_nanousd" | "new_cost_nanousd">

/** What calls cost before: what had no price never reads as $0. */
const before = ({ calls, newly_priced, old_cost_nanousd }: Sums): string => {
  if (calls === 0) return "-"
  const dollars = Figures.dollars(old_cost_nanousd)
  if (newly_priced === 0) return dollars
  return newly_priced === calls ? "unpriced" : `${dollars} + ${Figures.count(newly_priced)} unpriced`
}

const after = ({ calls, new_cost_nanousd }: Sums): string => (calls === 0 ? "-" : Figures.dollars(new_cost_nanousd))

const byModel = (style: Style, models: ReadonlyArray<ModelRepriced>): string =>
  Table.render(
    [
      { title: "MODEL" },
      { title: "PROVIDER" },
      { title: "CALLS", align: "right" },
      { title: "NEWLY PRICED", align: "right" },
      { title: "BEFORE", align: "right" },
      { title: "AFTER", align: "right" },
      { title: "STILL UNPRICED", align: "right" },
      { title: "KEPT", align: "right" },
    ],
    models.map((one) => [
      inert(one.model ?? "(unknown model)"),
      inert(one.provider ?? "-"),
      Figures.count(one.calls),
      Figures.count(one.newly_priced),
      before(one),
      after(one),
      Figures.count(one.still_unpriced),
      Figures.count(one.kept),
    ]),
    style.dim,
  )

const MOST_SHOWN = 10

const mostFirst = (left: Unknown, right: Unknown): number =>
  right.calls - left.calls || (left.reason < right.reason ? -1 : 1)

/** Why calls stay as they are, the most frequent reasons. */
const reasons = (unknown: ReadonlyArray<Unknown>): ReadonlyArray<string> => {
  const shown = [...unknown].sort(mostFirst)
  const more = shown.slice(MOST_SHOWN).reduce((sum, { calls }) => sum + calls, 0)
  return [
    ...shown.slice(0, MOST_SHOWN).map(({ calls, reason }) => `  ${Figures.plural(calls, "call")}: ${inert(reason)}`),
    ...(more === 0 ? [] : [`  ${Figures.plural(more, "call")}: other reasons`]),
  ]
}

/** What helps unpriced calls, by why they are. */
const toDo = (unknown: ReadonlyArray<Unknown>): ReadonlyArray<string> => {
  const why = new Set(unknown.map(({ reason }) => reason))
  return [
    ...(why.has(NO_MODEL)
      ? ["Calls without a model's name: whoever sends them has to tell it, as context_json.model (and .provider)."]
      : []),
    ...(why.size > 0 && [...why].every((reason) => reason === NO_MODEL || reason === NO_TOKENS)
      ? []
      : [
          "Where no price is known, a row with that provider and model in your price file gives one (runledger prices update FILE).",
        ]),
  ]
}

/** What repricing did, or would do. */
export const repriced = (
  style: Style,
  report: {
    readonly database: string
    readonly dry_run: boolean
    readonly repricing_id: number | null
    readonly repriced: Repriced
  },
): string => {
  const { database, dry_run, repricing_id, repriced: done } = report
  const { calls, kept, still_unpriced, models, unknown } = done
  const verb = dry_run ? "would cost" : calls === 1 ? "costs" : "cost"
  return [
    calls === 0
      ? `${inert(database)}: no call ${dry_run ? "would change" : "changes"}; ${Figures.count(still_unpriced)} ${still_unpriced === 1 ? "stays" : "stay"} unpriced`
      : `${inert(database)}: ${Figures.plural(calls, "call")} ${verb} ${after(done)}, before: ${before(done)}; ${Figures.count(still_unpriced)} ${still_unpriced === 1 ? "stays" : "stay"} unpriced`,
    ...(models.length === 0 ? [] : [byModel(style, models)]),
    ...(still_unpriced === 0 ? [] : toDo(unknown)),
    ...(kept === 0
      ? []
      : [
          `${Figures.plural(kept, "call")} ${kept === 1 ? "keeps" : "keep"} what ${kept === 1 ? "it" : "they"} cost: what that would be now is not known.`,
        ]),
    ...(unknown.length === 0 ? [] : ["What is not known:", ...reasons(unknown)]),
    ...(dry_run && calls > 0
      ? ["Nothing was changed: --yes changes it. What each call cost before is kept, and --undo gives it back."]
      : []),
    ...(repricing_id === null
      ? []
      : [`This is repricing ${repricing_id}: runledger reprice --undo ${repricing_id} --yes takes it back.`]),
  ].join("\n")
}

/** What undoing did, or would do. */
export const undone = (report: {
  readonly dry_run: boolean
  readonly repricing_id: number
  readonly restored: number
  readonly changed_since: number
}): string => {
  const { dry_run, repricing_id, restored, changed_since } = report
  const verb = dry_run ? "would cost" : restored === 1 ? "costs" : "cost"
  return [
    `${Figures.plural(restored, "call")} ${verb} again what ${restored === 1 ? "it" : "they"} did before repricing ${repricing_id}`,
    ...(changed_since === 0
      ? []
      : [
          `${Figures.plural(changed_since, "call")} stay: changed or removed since. One that was repriced again is given back by undoing that first.`,
        ]),
    ...(dry_run && restored > 0 ? ["Nothing was changed: --yes changes it."] : []),
  ].join("\n")
}

const FILTERS: ReadonlyArray<readonly [keyof RepriceFilter, string]> = [
  ["model", "model"],
  ["provider", "provider"],
  ["run_id", "run"],
  ["start_time_from", "from"],
  ["start_time_to", "to"],
]

const filterInWords = (filter: RepriceFilter): string =>
  [
    filter.scope === "all" ? "all calls" : "unpriced calls",
    ...FILTERS.flatMap(([name, word]) => (filter[name] === undefined ? [] : [`${word} ${filter[name]}`])),
    ...(filter.prices === "of_today" ? ["at that day's prices"] : []),
  ].join(", ")

const standing = ({ finished_at, undone_calls, calls }: Repricing): string => {
  if (undone_calls > 0) return undone_calls === calls ? "undone" : `${Figures.count(undone_calls)} undone`
  return finished_at === null ? "broken off" : "stands"
}

/** Repricings, one a line. */
export const history = (style: Style, all: ReadonlyArray<Repricing>): string =>
  all.length === 0
    ? "Nothing was repriced yet."
    : Table.render(
        [
          { title: "ID", align: "right" },
          { title: "WHEN" },
          { title: "CALLS", align: "right" },
          { title: "NEWLY PRICED", align: "right" },
          { title: "BEFORE", align: "right" },
          { title: "AFTER", align: "right" },
          { title: "" },
          { title: "OF" },
          { title: "BY" },
        ],
        all.map((one) => [
          String(one.id),
          Figures.instant(one.begun_at),
          Figures.count(one.calls),
          Figures.count(one.newly_priced),
          before(one),
          after(one),
          standing(one),
          inert(filterInWords(one.filter)),
          style.dim(inert(one.price_tables)),
        ]),
        style.dim,
      )

const cost = (members: RepricedCall["before"]): string => {
  const { cost_nanousd: nano, api_cost_usd: usd } = members
  if (typeof nano === "number") return Figures.dollars(nano)
  return typeof usd === "number" ? Figures.dollars(Math.round(usd * 1e9)) : "unpriced"
}

const text = (value: unknown): string => (typeof value === "string" ? inert(value) : "-")

/** Calls of a repricing, one a line. */
export const calls = (style: Style, all: ReadonlyArray<RepricedCall>): string =>
  all.length === 0
    ? "No call of it is left."
    : Table.render(
        [
          { title: "EVENT" },
          { title: "BEFORE", align: "right" },
          { title: "AFTER", align: "right" },
          { title: "" },
          { title: "PRICE BEFORE" },
          { title: "PRICE AFTER" },
        ],
        all.map(({ event_id, before, after, undone: isUndone }) => [
          inert(event_id),
          cost(before),
          cost(after),
          isUndone ? "undone" : "",
          text(before["price_id"]),
          text(after["price_id"]),
        ]),
        style.dim,
      )
