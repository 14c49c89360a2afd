import { width } from "./Ansi.js"

/** A column's heading and side. The last column is never padded. */
export interface Column {
  readonly title: string
  readonly align?: "left" | "right"
}

const pad = (text: string, columns: number, align: "left" | "right"): string => {
  const space = " ".repeat(Math.max(0, columns - width(text)))
  return align === "right" ? space + text : text + space
}

/** Rows under headings, columns two spaces apart, numbers aligned to the right where asked. */
export const render = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  heading: (text: string) => string,
): string => {
  const widths = columns.map((column, index) =>
    Math.max(width(column.title), ...rows.map((row) => width(row[index] ?? ""))),
  )
  const line = (cells: ReadonlyArray<string>): string =>
    columns
      .map((column, index) => {
        const align = column.align ?? "left"
        const last = index === columns.length - 1
        const cell = cells[index] ?? ""
        return last && align === "left" ? cell : pad(cell, widths[index] ?? 0, align)
      })
      .join("  ")
      .trimEnd()
  return [heading(line(columns.map((column) => column.title))), ...rows.map(line)].join("\n")
}
