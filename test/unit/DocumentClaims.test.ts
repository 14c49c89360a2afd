import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as DocumentClaims from "../../src/domain/DocumentClaims.js"
import * as MarkdownFile from "../../src/domain/MarkdownFile.js"
import * as Sentence from "../../src/domain/Sentence.js"

const README = `---
title: Widget
---
# Widget

[![build](https://example.com/b.svg)](https://example.com) ![logo](x.png)

Widget turns &lt;rows&gt; into charts. It is fast. Widget reads CSV files,
e.g. exports of a spreadsheet, and \`rows.json\`
files alike.

## Table of Contents

- [Install](#install)
- [Usage](#usage)

## Install

npm install widget

\`\`\`sh
npm install widget
\`\`\`

| option | meaning |
|---|---|
| a | The option a does something remarkable. |

<p>Widget is made of HTML in this paragraph.</p>

## .render(rows)

Returns a chart for the rows.

- Full colour support
- If you have very many rows
- [ ] Plan world domination for everyone
- @someone Some One

> [!NOTE]
> Charts are not interactive on paper.

Do you like it? See the guide for more about charts. Please open an issue when it breaks.

## License

Widget is released under the MIT license.
`

const read = (text: string) => DocumentClaims.read("README.md", "technical_readme", MarkdownFile.read(text))

describe("Claims of a document", () => {
  const found = read(README)
  const texts = found.map(({ claim }) => claim.claim_text)

  it("are its statements and nothing else: no badge, code, table, HTML, link list, question, invitation or licence", () => {
    expect(texts).toEqual([
      "Widget turns <rows> into charts.",
      "Widget reads CSV files, e.g. exports of a spreadsheet, and `rows.json` files alike.",
      "`.render`: Returns a chart for the rows.",
      "Full colour support",
      "Charts are not interactive on paper.",
    ])
  })

  it("cite the lines on which their own words stand", () => {
    const lines = README.split("\n")
    const cited = found.map(({ claim }) => claim.citations[0])
    expect(cited.map(({ start_line, end_line }) => [start_line, end_line])).toEqual([
      [8, 8],
      [8, 10],
      [33, 33],
      [35, 35],
      [41, 41],
    ])
    expect(lines[34]).toContain("Full colour support")
    expect(lines[40]).toContain("Charts are not interactive")
  })

  it("know the headings above them", () => {
    expect(found.at(-1)?.headings).toEqual(["Widget", ".render(rows)"])
  })

  it("are at most a bounded number a document", () => {
    const long = Array.from({ length: 400 }, (_, n) => `Widget number ${n} turns rows into charts.`).join("\n\n")
    expect(read(long)).toHaveLength(DocumentClaims.MAX_CLAIMS_PER_DOCUMENT)
  })

  it.prop(
    "lie within the file whatever it holds",
    [FastCheck.string({ unit: "grapheme", maxLength: 400 })],
    ([text]) => {
      const lines = text.split(/\r\n|\n|\r/).length
      for (const { claim } of read(text)) {
        expect(claim.citations[0].start_line).toBeGreaterThanOrEqual(1)
        expect(claim.citations[0].end_line).toBeLessThanOrEqual(lines)
      }
    },
  )
})

describe("Sentences", () => {
  const split = (text: string) =>
    Sentence.sentences({ text, lines: Array.from(text, () => 1) }).map((sentence) => sentence.text)

  it("do not end inside code, file names, versions, brackets or abbreviations", () => {
    expect(split("Call `a.b. C()` first. It needs Node.js 20.1. Use tools, e.g. Git. Done (really. Yes).")).toEqual([
      "Call `a.b. C()` first.",
      "It needs Node.js 20.1.",
      "Use tools, e.g. Git.",
      "Done (really. Yes).",
    ])
  })

  it.each([
    "Iterates over all the rows quickly.",
    "Software is installed with one command.",
    "Headers are sent with every request.",
  ])("%s stands by itself: a word that only begins like a pronoun must not hide it", (text) => {
    expect(Sentence.isTelling(text, "paragraph")).toBe(true)
  })
})

// A run of dashes or an open bracket once took time that grew with the square of its length.
it.each([
  ["dashes", `Widget a${"-".repeat(100_000)}b is fast.`],
  ["closing marks", `Widget is fast${" .".repeat(50_000)} x`],
  ["an open bracket", `Widget (is ${"fast. It ".repeat(10_000)}.`],
])("reads a paragraph of %s to its end", (_, paragraph) => {
  expect(Array.isArray(read(`# Widget\n\n${paragraph}\n`))).toBe(true)
})
