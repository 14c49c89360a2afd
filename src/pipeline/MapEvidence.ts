import type { Claim } from "../domain/Claim.js"
import * as EvidenceMatch from "../domain/EvidenceMatch.js"
import type { EvidenceMap } from "../domain/Facts.js"
import type { Document, ExampleFile } from "./Documents.js"

const EXAMPLE_LINES = 20

const fromDocument = ({ path, markdown }: Document): ReadonlyArray<EvidenceMatch.EvidencePassage> => [
  ...markdown.passages.map((passage) => ({
    path,
    startLine: passage.startLine,
    endLine: passage.endLine,
    kind: "doc" as const,
    text: passage.prose.text,
  })),
  ...markdown.codeBlocks.map((block) => ({
    path,
    startLine: block.startLine,
    endLine: block.endLine,
    kind: "example" as const,
    text: block.code,
  })),
]

const fromExample = ({ path, text }: ExampleFile): ReadonlyArray<EvidenceMatch.EvidencePassage> => {
  const lines = text.replace(/\n$/, "").split("\n")
  return Array.from({ length: Math.ceil(lines.length / EXAMPLE_LINES) }, (_, part) => {
    const own = lines.slice(part * EXAMPLE_LINES, (part + 1) * EXAMPLE_LINES)
    const startLine = part * EXAMPLE_LINES + 1
    return { path, startLine, endLine: startLine + own.length - 1, kind: "example" as const, text: own.join("\n") }
  })
}

/** Which passages of documents and examples speak of each claim. */
export const map = (
  productSlug: string,
  claims: ReadonlyArray<Claim>,
  documents: ReadonlyArray<Document>,
  examples: ReadonlyArray<ExampleFile>,
): EvidenceMap => ({
  product_slug: productSlug,
  claims: EvidenceMatch.match(claims, [...documents.flatMap(fromDocument), ...examples.flatMap(fromExample)]),
  contradictions: [],
})
