import * as PriceAge from "../domain/PriceAge.js"
import type { PriceDifference } from "../domain/PriceDifference.js"
import { DEFAULT_PROVIDER } from "../domain/PriceRow.js"
import type { PriceView } from "../domain/PriceView.js"
import { inert, type Style } from "./Ansi.js"
import * as Figures from "./Figures.js"
import * as Table from "./Table.js"

const rate = (usd: number | null | undefined): string => (usd === undefined || usd === null ? "-" : String(usd))

/** What of a price stands in no column. */
const more = (row: PriceView): string =>
  [
    ...row.tiers.map((tier) => {
      const { input, output } = tier.usd_per_million
      return `above ${Figures.count(tier.above_prompt_tokens)} prompt tokens ${rate(input)}/${rate(output)}`
    }),
    ...Object.entries(row.multipliers).flatMap(([kind, words]) =>
      Object.entries(words).map(([word, factor]) => `${kind} ${word} x${factor}`),
    ),
    ...Object.entries(row.server_tools_usd_per_thousand).map(([name, usd]) => `${name} $${usd} per 1,000`),
    ...(row.discount_percent === null ? [] : [`${row.discount_percent} % off`]),
    ...(row.hours_utc === null ? [] : [`${row.hours_utc} UTC`]),
  ].join(", ")

interface Row extends PriceView {
  readonly in_force: boolean
}

const lines = (style: Style, rows: ReadonlyArray<Row>): string =>
  Table.render(
    [
      { title: "PROVIDER" },
      { title: "MODEL" },
      { title: "FROM" },
      { title: "IN", align: "right" },
      { title: "OUT", align: "right" },
      { title: "READ", align: "right" },
      { title: "WRITE 5M", align: "right" },
      { title: "WRITE 1H", align: "right" },
      { title: "ORIGIN" },
      { title: "READ ON" },
      { title: "SOURCE" },
      { title: "" },
    ],
    rows.map((row) => [
      inert(row.provider),
      row.in_force ? inert(row.model) : style.dim(inert(row.model)),
      row.effective_from ?? "-",
      rate(row.usd_per_million["input"]),
      rate(row.usd_per_million["output"]),
      rate(row.usd_per_million["cache_read"]),
      rate(row.usd_per_million["cache_write_5m"]),
      rate(row.usd_per_million["cache_write_1h"]),
      row.origin,
      row.read_on ?? "-",
      inert(row.source ?? "-"),
      style.dim(inert(more(row))),
    ]),
    style.dim,
  )

/** Prices, one a line, with what has none on purpose and how old they are. */
export const table = (
  style: Style,
  rows: ReadonlyArray<Row>,
  unpriced: ReadonlyArray<{ readonly provider: string; readonly model: string }>,
  age: PriceAge.PriceAge | null,
): string => {
  const badge = PriceAge.badge(age)
  return [
    rows.length === 0 ? "No such prices." : lines(style, rows),
    ...(rows.length === 0 ? [] : [style.dim("USD per million tokens.")]),
    ...(unpriced.length === 0
      ? []
      : [`Unpriced until somebody confirms a rate: ${unpriced.map(({ model }) => inert(model)).join(", ")}.`]),
    ...(badge === null ? [] : [style.yellow(badge)]),
  ].join("\n")
}

const change = ({ what, before, after }: PriceDifference["changes"][number]): string =>
  before === null ? `${what} ${rate(after)}` : `${what} ${rate(before)} -> ${rate(after)}`

const from = ({ from: day }: PriceDifference): string => (day === null ? "" : ` from ${day}`)

const sign = (style: Style, kind: PriceDifference["kind"]): string => {
  switch (kind) {
    case "added":
      return style.green("+")
    case "removed":
      return style.red("-")
    case "changed":
      return style.yellow("~")
    case "restated":
      return style.dim("=")
  }
}

const WORDS = { added: "has a price", removed: "has no price any more", changed: "changes", restated: "costs the same" }

const difference = (style: Style, one: PriceDifference): string => {
  const figures = one.kind === "removed" ? "" : one.changes.map(change).join(", ")
  const places = [one.before, one.after].flatMap((id) => (id === null ? [] : [inert(id)])).join(" -> ")
  return `${sign(style, one.kind)} ${inert(one.provider)}/${inert(one.model)}${from(one)} ${WORDS[one.kind]}${figures === "" ? "" : `: ${inert(figures)}`}  ${style.dim(places)}`
}

/** What becomes of prices, one a line. */
export const differences = (style: Style, all: ReadonlyArray<PriceDifference>, none: string): string =>
  all.length === 0 ? none : all.map((one) => difference(style, one)).join("\n")

interface OwnRow {
  readonly provider: string
  readonly model: string
}

/** For whose calls the rows of a price file count, since a row that names no provider is the default one's. */
export const whose = (rows: ReadonlyArray<OwnRow>): ReadonlyArray<string> => {
  const models = new Map<string, Set<string>>()
  for (const { provider, model } of rows) models.set(provider, (models.get(provider) ?? new Set()).add(inert(model)))
  const strays = [...(models.get(DEFAULT_PROVIDER) ?? [])].filter((model) => !model.includes("claude"))
  const counts = Array.from(models, ([provider, { size }]) => `${Figures.plural(size, "model")} of ${inert(provider)}`)
  return [
    ...(counts.length === 0 ? [] : [`The file has rows for ${counts.join(", ")}.`]),
    ...(strays.length === 0
      ? []
      : [
          `A row without "provider" counts for ${DEFAULT_PROVIDER}. If another one answers ${strays.join(", ")}, name it in the row, as the calls do.`,
        ]),
  ]
}

/** What `prices update` did, or would do. */
export const updated = (report: {
  readonly file: string
  readonly price_file: string
  readonly prices: number
  readonly dry_run: boolean
  readonly backup: string | null
}): string => {
  const { file, price_file, prices, dry_run, backup } = report
  if (dry_run) return `Nothing was changed: --yes makes ${inert(file)} your price file ${inert(price_file)}.`
  const kept = backup === null ? "" : ` What it was before is ${inert(backup)}.`
  return `${inert(price_file)} has ${Figures.plural(prices, "price")} now.${kept}\nWhat calls cost so far stays as it is; runledger reprice changes it on purpose.`
}
