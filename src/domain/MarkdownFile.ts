import type { Code, Heading, Image, ListItem, Nodes, Paragraph, PhrasingContent, Root } from "mdast"
import { fromMarkdown } from "mdast-util-from-markdown"
import { frontmatterFromMarkdown } from "mdast-util-frontmatter"
import { gfmFromMarkdown } from "mdast-util-gfm"
import { toString as plainText } from "mdast-util-to-string"
import { frontmatter } from "micromark-extension-frontmatter"
import { gfm } from "micromark-extension-gfm"
import type { ProseText } from "./Sentence.js"

/** Prose of a document: a paragraph, or the first paragraph of a list item. */
export interface Passage {
  readonly kind: "paragraph" | "item"
  readonly prose: ProseText
  readonly headings: ReadonlyArray<string>
  /** True in a numbered list. */
  readonly ordered: boolean
  /** True when nothing but links or pictures stand in it. */
  readonly linksOnly: boolean
  readonly startLine: number
  readonly endLine: number
}

/** A fenced or indented block of code; the lines are those of the code itself. */
export interface CodeBlock {
  readonly info: string | null
  readonly code: string
  readonly headings: ReadonlyArray<string>
  readonly startLine: number
  readonly endLine: number
}

export interface MarkdownFile {
  readonly passages: ReadonlyArray<Passage>
  readonly codeBlocks: ReadonlyArray<CodeBlock>
}

const parse = (text: string): Root =>
  fromMarkdown(text, {
    extensions: [gfm(), frontmatter(["yaml", "toml"])],
    mdastExtensions: [gfmFromMarkdown(), frontmatterFromMarkdown(["yaml", "toml"])],
  })

interface Characters {
  text: string
  readonly lines: Array<number>
}

const append = (into: Characters, text: string, startLine: number, endLine: number): void => {
  let line = startLine
  for (let index = 0; index < text.length; index += 1) {
    into.lines.push(Math.min(line, endLine))
    if (text[index] === "\n") line += 1
  }
  into.text += text
}

const collect = (into: Characters, node: PhrasingContent): void => {
  const start = node.position?.start.line ?? 1
  const end = node.position?.end.line ?? start
  switch (node.type) {
    case "text":
      append(into, node.value, start, end)
      break
    case "inlineCode":
      append(into, `\`${node.value.replace(/[`\n]/g, " ").trim()}\``, start, end)
      break
    case "break":
      append(into, " ", start, end)
      break
    case "html":
      append(into, /^<(?:br|wbr)\b/i.test(node.value) ? " " : "", start, end)
      break
    case "image":
    case "imageReference":
    case "footnoteReference":
    case "delete":
      break
    default:
      for (const child of node.children) collect(into, child)
  }
}

const proseOf = (paragraph: Paragraph): ProseText => {
  const into: Characters = { text: "", lines: [] }
  for (const child of paragraph.children) collect(into, child)
  return into
}

const isLink = (node: PhrasingContent): boolean => {
  switch (node.type) {
    case "link":
    case "linkReference":
    case "image":
    case "imageReference":
    case "html":
    case "break":
      return true
    case "text":
      return !/\p{L}{2}/u.test(node.value)
    case "strong":
    case "emphasis":
      return node.children.every(isLink)
    default:
      return false
  }
}

const passage = (
  paragraph: Paragraph,
  headings: ReadonlyArray<string>,
  kind: Passage["kind"],
  ordered: boolean,
): Passage => ({
  kind,
  prose: proseOf(paragraph),
  headings,
  ordered,
  linksOnly: paragraph.children.every(isLink),
  startLine: paragraph.position?.start.line ?? 1,
  endLine: paragraph.position?.end.line ?? 1,
})

const codeBlock = (code: Code, headings: ReadonlyArray<string>): CodeBlock => {
  const first = code.position?.start.line ?? 1
  const last = code.position?.end.line ?? first
  const lines = code.value.split("\n").length
  // A fence has a line of its own before the code; an indented block has none.
  const startLine = last - first + 1 > lines ? first + 1 : first
  return {
    info: code.lang ?? null,
    code: code.value,
    headings,
    startLine,
    endLine: Math.min(last, startLine + lines - 1),
  }
}

const headingText = (heading: Heading): string => {
  const withoutPictures = (node: Nodes): Nodes =>
    "children" in node
      ? ({
          ...node,
          children: node.children.filter((child): boolean => !isPicture(child)).map(withoutPictures),
        } as Nodes)
      : node
  return plainText(withoutPictures(heading), { includeHtml: false, includeImageAlt: false })
    .replace(/\p{Extended_Pictographic}|\uFE0F|\u200D/gu, "")
    .replace(/\s+/g, " ")
    .trim()
}

const isPicture = (node: Nodes): node is Image => node.type === "image" || node.type === "imageReference"

interface Reading {
  readonly passages: Array<Passage>
  readonly codeBlocks: Array<CodeBlock>
  headings: ReadonlyArray<{ readonly depth: number; readonly text: string }>
}

const readItem = (into: Reading, item: ListItem, ordered: boolean, context: ReadonlyArray<string>): void => {
  const [first, ...rest] = item.children
  if (first?.type === "paragraph") {
    // A ticked box is a plan or a report, not a statement.
    if (typeof item.checked !== "boolean") into.passages.push(passage(first, context, "item", ordered))
    for (const child of rest) readBlock(into, child)
  } else {
    for (const child of item.children) readBlock(into, child)
  }
}

const readBlock = (into: Reading, node: Nodes): void => {
  const context = into.headings.map(({ text }) => text)
  switch (node.type) {
    case "heading": {
      const above = into.headings.filter(({ depth }) => depth < node.depth)
      into.headings = [...above, { depth: node.depth, text: headingText(node) }]
      return
    }
    case "paragraph":
      into.passages.push(passage(node, context, "paragraph", false))
      return
    case "code":
      into.codeBlocks.push(codeBlock(node, context))
      return
    case "list":
      for (const item of node.children) readItem(into, item, node.ordered === true, context)
      return
    case "blockquote":
    case "root":
      for (const child of node.children) readBlock(into, child)
      return
    default:
      return
  }
}

/** The prose and the code of a Markdown text (CommonMark with GFM and frontmatter). Tables, HTML and footnotes are neither. */
export const read = (text: string): MarkdownFile => {
  const into: Reading = { passages: [], codeBlocks: [], headings: [] }
  readBlock(into, parse(text))
  return { passages: into.passages, codeBlocks: into.codeBlocks }
}
