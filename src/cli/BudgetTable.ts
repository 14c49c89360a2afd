import type { Forecast } from "../domain/BudgetForecast.js"
import { type BudgetReport, type BudgetRow, percentOf } from "../domain/BudgetReport.js"
import * as Timestamp from "../domain/Timestamp.js"
import { inert, type Style } from "./Ansi.js"
import * as Figures from "./Figures.js"
import * as Table from "./Table.js"

const minutes = (many: number): string =>
  many >= 120 ? Figures.plural(Math.round(many / 60), "hour") : Figures.plural(many, "minute")

const heading = (forecast: Forecast): string => {
  switch (forecast._tag) {
    case "TooEarly":
      return `too early (${minutes(forecast.knownMinutes)} known, ${minutes(forecast.neededMinutes)} needed)`
    case "Reached":
      return "the limit is reached"
    case "Forecast": {
      const expected = `${Figures.dollars(forecast.expectedNanoUsd)} by its end`
      return forecast.limitAtMillis === null
        ? expected
        : `${expected}; limit reached ${Figures.instant(Timestamp.fromMillis(forecast.limitAtMillis))}`
    }
  }
}

const used = (style: Style, row: BudgetRow): string => {
  const percent = percentOf(row)
  if (percent === null) return "-"
  const text = `${percent} %`
  return percent >= 100 ? style.red(text) : text
}

const cells =
  (style: Style) =>
  (row: BudgetRow): ReadonlyArray<string> => [
    row.kind,
    row.name === "" ? row.period : `${inert(row.name)} ${row.period}`,
    row.limitNanoUsd === null ? "none" : Figures.dollars(row.limitNanoUsd),
    Figures.dollars(row.spentNanoUsd),
    row.reservedNanoUsd === 0 ? "-" : Figures.dollars(row.reservedNanoUsd),
    used(style, row),
    row.refusedCalls === 0 ? "-" : style.red(Figures.plural(row.refusedCalls, "call")),
    row.alerts.length === 0 ? "-" : row.alerts.map((percent) => `${percent} %`).join(", "),
    row.forecast === null ? "" : heading(row.forecast),
  ]

const notes = ({ rows, sinceMillis }: BudgetReport): ReadonlyArray<string> => {
  const unpriced = rows.find(({ kind }) => kind === "month")?.unpricedCalls ?? 0
  return [
    ...(unpriced === 0
      ? []
      : [`${Figures.plural(unpriced, "call")} of this month of unknown price: no sum above has their money.`]),
    `Real money since ${Figures.instant(Timestamp.fromMillis(sinceMillis))}; days and months are UTC. A forecast carries on what was spent so far at the same rate.`,
  ]
}

/** Every budget of the present day and month, one a line. */
export const render = (style: Style, report: BudgetReport): string => {
  const table = Table.render(
    [
      { title: "BUDGET" },
      { title: "WINDOW" },
      { title: "LIMIT", align: "right" },
      { title: "SPENT", align: "right" },
      { title: "IN FLIGHT", align: "right" },
      { title: "USED", align: "right" },
      { title: "REFUSED", align: "right" },
      { title: "ALERTS" },
      { title: "FORECAST" },
    ],
    report.rows.map(cells(style)),
    style.dim,
  )
  return [table, ...notes(report).map(style.dim)].join("\n")
}
