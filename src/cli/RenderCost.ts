import * as PriceAge from "../domain/PriceAge.js"
import type { PromptRepeat, RepeatTotals } from "../domain/PromptRepeats.js"
import { inert, type Style } from "./Ansi.js"
import type { AsGroup } from "./CostAs.js"
import type { CostGroup, Key } from "./CostGroup.js"
import * as Figures from "./Figures.js"
import * as Table from "./Table.js"

/** What the caches saved: real money first; what nobody can tell is said. */
const saved = (group: CostGroup): string => {
  const { cache_savings_nanousd: real, simulated_cache_savings_nanousd: simulated } = group
  const parts = [
    ...(real !== 0 ? [Figures.signed(real)] : []),
    ...(simulated !== 0 ? [`${Figures.signed(simulated)} simulated`] : []),
    ...(group.cache_savings_unknown_calls > 0 ? [`${group.cache_savings_unknown_calls} unknown`] : []),
  ]
  return parts.length === 0 ? "-" : parts.join(" + ")
}

const cached = ({ cache_read_tokens, cache_read_share }: CostGroup): string =>
  cache_read_tokens === 0 || cache_read_share === null
    ? "-"
    : `${Figures.count(cache_read_tokens)} (${Figures.percent(cache_read_share)})`

const groupCells = (group: CostGroup): ReadonlyArray<string> => [
  inert(group.group),
  Figures.count(group.calls),
  Figures.count(group.errors),
  Figures.count(group.input_tokens),
  cached(group),
  Figures.count(group.output_tokens),
  saved(group),
  Figures.spending(group),
]

/** Costs by group, and their sum. */
export const costs = (style: Style, by: Key, groups: ReadonlyArray<CostGroup>, total: CostGroup): string =>
  Table.render(
    [
      { title: by.toUpperCase() },
      { title: "CALLS", align: "right" },
      { title: "ERRORS", align: "right" },
      { title: "IN", align: "right" },
      { title: "CACHED", align: "right" },
      { title: "OUT", align: "right" },
      { title: "SAVED" },
      { title: "COST" },
    ],
    [...groups.map(groupCells), groupCells(total).map(style.bold)],
    style.dim,
  )

/** Calls of one model that nobody has a price for. */
export interface Unpriced {
  readonly model: string | null
  readonly provider: string | null
  readonly calls: number
  readonly input_tokens: number
  readonly output_tokens: number
}

/** The unpriced calls by model, and what to do. */
export const unpriced = (style: Style, rows: ReadonlyArray<Unpriced>): ReadonlyArray<string> =>
  rows.length === 0
    ? []
    : [
        "",
        style.yellow("Unpriced, in no sum of money:"),
        ...rows.map(
          ({ model, provider, calls, input_tokens, output_tokens }) =>
            `  ${provider === null ? "" : `${inert(provider)}/`}${inert(model ?? "(no model told)")}: ${Figures.plural(calls, "call")}, ${Figures.count(input_tokens)} tokens in, ${Figures.count(output_tokens)} out`,
        ),
        ...(rows.some(({ model }) => model === null)
          ? ["  Where no model is told, whoever sends the calls has to: context_json.model (and .provider)"]
          : []),
        "  Put a row with provider, model and rates into your price file (runledger prices update FILE), and price what the server has: runledger reprice",
      ]

/** What nobody can tell of the caches, and why. */
export const unknownSavings = (total: CostGroup): ReadonlyArray<string> =>
  total.cache_savings_unknown_calls === 0
    ? []
    : [
        "",
        `What caching saved is unknown for ${Figures.plural(total.cache_savings_unknown_calls, "call")} with ${Figures.count(total.cache_savings_unknown_tokens)} cached tokens: no price known for their time gives what they say they cost.`,
      ]

/** That the prices are old, when they are. */
export const aged = (style: Style, age: PriceAge.PriceAge | null): ReadonlyArray<string> => {
  const badge = PriceAge.badge(age)
  return badge === null ? [] : ["", style.yellow(badge)]
}

const money = (real: number, simulated: number): string => {
  const parts = [
    ...(real !== 0 || simulated === 0 ? [Figures.dollars(real)] : []),
    ...(simulated !== 0 ? [`${Figures.dollars(simulated)} simulated`] : []),
  ]
  return parts.join(" + ")
}

/** The same of calls of which some, or all, have no known price: those never read as $0. */
const known = (real: number, simulated: number, calls: { readonly priced: number; readonly unpriced: number }) => {
  const parts = [
    ...(calls.priced > 0 || real !== 0 || simulated !== 0 ? [money(real, simulated)] : []),
    ...(calls.unpriced > 0 ? [`${calls.unpriced} unpriced`] : []),
  ]
  return parts.length === 0 ? "-" : parts.join(" + ")
}

const difference = (group: AsGroup): string => {
  const parts = [
    ...(group.difference_nanousd !== 0 ? [Figures.difference(group.difference_nanousd)] : []),
    ...(group.simulated_difference_nanousd !== 0
      ? [`${Figures.difference(group.simulated_difference_nanousd)} simulated`]
      : []),
    ...(group.unpriced_calls > 0
      ? [`${Figures.dollars(group.as_unpriced_nanousd)} for ${group.unpriced_calls} unpriced`]
      : []),
    ...(group.left_out_calls > 0 ? [`${group.left_out_calls} left out`] : []),
  ]
  return parts.length === 0 ? "-" : parts.join(", ")
}

const asCells = (group: AsGroup): ReadonlyArray<string> => [
  inert(group.group),
  Figures.count(group.calls),
  Figures.count(group.input_tokens),
  Figures.count(group.output_tokens),
  known(group.cost_nanousd, group.simulated_cost_nanousd, {
    priced: group.compared_calls,
    unpriced: group.unpriced_calls,
  }),
  known(group.as_nanousd, group.as_simulated_nanousd, { priced: group.compared_calls, unpriced: 0 }),
  difference(group),
]

/** Costs by group beside what the same tokens would have cost on another model. */
export const as = (
  style: Style,
  by: Key,
  model: string,
  groups: ReadonlyArray<AsGroup>,
  total: AsGroup,
): ReadonlyArray<string> => [
  Table.render(
    [
      { title: by.toUpperCase() },
      { title: "CALLS", align: "right" },
      { title: "IN", align: "right" },
      { title: "OUT", align: "right" },
      { title: "COST" },
      { title: `AS ${inert(model)}` },
      { title: "DIFFERENCE" },
    ],
    [...groups.map(asCells), asCells(total).map(style.bold)],
    style.dim,
  ),
]

/** What was spent on questions, or wasted. */
const spentOn = (real: number, simulated: number, of: Omit<RepeatTotals, "prompts">) =>
  known(real, simulated, { priced: of.calls + of.simulated_calls - of.unpriced_calls, unpriced: of.unpriced_calls })

const repeatCells = (one: PromptRepeat): ReadonlyArray<string> => [
  inert(one.prompt_hash.slice(0, 12)),
  inert(one.model ?? "-"),
  Figures.count(one.calls + one.simulated_calls),
  one.replayed_calls === 0 ? "-" : Figures.count(one.replayed_calls),
  spentOn(one.spent_nanousd, one.simulated_spent_nanousd, one),
  spentOn(one.wasted_nanousd, one.simulated_wasted_nanousd, one),
  inert([...new Set(one.asked.map(({ launch }) => launch))].slice(0, 3).join(", ")),
]

/** Questions that were paid for more than once, and all of them together. */
export const repeats = (
  style: Style,
  rows: ReadonlyArray<PromptRepeat>,
  total: RepeatTotals,
): ReadonlyArray<string> => [
  Table.render(
    [
      { title: "PROMPT" },
      { title: "MODEL" },
      { title: "TIMES", align: "right" },
      { title: "REPLAYED", align: "right" },
      { title: "SPENT" },
      { title: "WASTED" },
      { title: "IN" },
    ],
    [
      ...rows.map(repeatCells),
      [
        Figures.plural(total.prompts, "prompt"),
        "",
        Figures.count(total.calls + total.simulated_calls),
        total.replayed_calls === 0 ? "-" : Figures.count(total.replayed_calls),
        spentOn(total.spent_nanousd, total.simulated_spent_nanousd, total),
        spentOn(total.wasted_nanousd, total.simulated_wasted_nanousd, total),
      ].map(style.bold),
    ],
    style.dim,
  ),
]
