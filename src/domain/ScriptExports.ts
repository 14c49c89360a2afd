import { type ParserOptions, parse } from "@babel/parser"
import type * as Babel from "@babel/types"
import type { ApiSymbol } from "./Facts.js"
import { importsOf, isExports, isModuleExports, nameOf, type PassedOn, passedBy } from "./ScriptPassing.js"
import { sentences } from "./Sentence.js"

/** An exported name of a TypeScript or JavaScript file, with the first sentence of its documentation. */
export interface ScriptExport {
  readonly name: string
  readonly kind: ApiSymbol["kind"]
  /** Names of its parameters; null when it takes none or is no function. */
  readonly parameters: ReadonlyArray<string> | null
  readonly summary: string | null
  readonly startLine: number
  readonly endLine: number
  /** True of `export default`, `export =` and `module.exports =`. */
  readonly isMain: boolean
}

/** What a file exports: its own and what it passes on. */
export interface ScriptModule {
  readonly exports: ReadonlyArray<ScriptExport>
  readonly passedOn: ReadonlyArray<PassedOn>
}

const options = (path: string): ParserOptions => ({
  sourceType: "unambiguous",
  errorRecovery: true,
  allowReturnOutsideFunction: true,
  allowAwaitOutsideFunction: true,
  allowUndeclaredExports: true,
  plugins: [
    ["typescript", { dts: /\.d\.[cm]?ts$/.test(path) }],
    ...(/\.[cm]?ts$/.test(path) ? [] : (["jsx"] as const)),
    "decorators",
  ],
})

type Comments = ReadonlyArray<Babel.Comment> | null | undefined

const docOf = (comments: Comments): string | undefined => {
  const last = comments?.at(-1)
  return last?.type === "CommentBlock" && last.value.startsWith("*") ? last.value : undefined
}

const isHidden = (doc: string | undefined): boolean => /@(?:internal|private|hidden|ignore)\b/.test(doc ?? "")

/** The first sentence of a doc comment in plain words; null when there is none worth showing. */
const summaryOf = (doc: string | undefined): string | null => {
  if (doc === undefined) return null
  const lines = doc.split("\n").map((line) => line.replace(/^\s*\*+\s?/, ""))
  const end = lines.findIndex((line) => /^\s*(?:@\w|```|#{1,6}\s)/.test(line))
  const paragraph =
    (end < 0 ? lines : lines.slice(0, end))
      .join("\n")
      .trim()
      .split(/\n\s*\n/)[0] ?? ""
  const text = paragraph
    .replace(
      /\{@link(?:code|plain)?\s+([^}|]+?)(?:\s*\|\s*([^}]+))?\}/g,
      (_all, target: string, label?: string) => label ?? `\`${target}\``,
    )
    .replace(/\[([^\]]+)\]\([^)]*\)/g, "$1")
    .replace(/\s+/g, " ")
    .trim()
  const sentence = sentences({ text, lines: [] })[0]?.text ?? ""
  return sentence.length < 12 || sentence.length > 240 || /[{}<>]\s*$|:$/.test(sentence) ? null : sentence
}

const parameterName = (node: Babel.Node, position: number): string => {
  switch (node.type) {
    case "Identifier":
      return node.name
    case "AssignmentPattern":
      return parameterName(node.left, position)
    case "RestElement":
      return `...${parameterName(node.argument, position)}`
    case "TSParameterProperty":
      return parameterName(node.parameter, position)
    case "ObjectPattern":
      return "options"
    default:
      return `arg${position + 1}`
  }
}

const parametersOf = (parameters: ReadonlyArray<Babel.Node>): ReadonlyArray<string> =>
  parameters.map(parameterName).filter((name) => name !== "this")

interface Described {
  readonly kind: ApiSymbol["kind"]
  readonly parameters: ReadonlyArray<string> | null
  readonly doc: string | undefined
  readonly node: Babel.Node
}

const described = (
  node: Babel.Node,
  comments: Comments,
  kind: ApiSymbol["kind"],
  parameters: ReadonlyArray<Babel.Node> | null,
): Described => ({
  kind,
  parameters: parameters === null ? null : parametersOf(parameters),
  doc: docOf(comments),
  node,
})

const describeValue = (value: Babel.Node | null | undefined, at: Babel.Node, comments: Comments): Described => {
  switch (value?.type) {
    case "ArrowFunctionExpression":
    case "FunctionExpression":
      return described(at, comments, "function", value.params)
    case "ClassExpression":
      return described(at, comments, "class", null)
    default:
      return described(at, comments, "constant", null)
  }
}

/** Of an overloaded type the last signature speaks: that is where the plain, data-first form stands. */
const typedAsFunction = (id: Babel.Node): ReadonlyArray<Babel.Node> | null => {
  if (id.type !== "Identifier" || id.typeAnnotation?.type !== "TSTypeAnnotation") return null
  const type = id.typeAnnotation.typeAnnotation
  if (type.type === "TSFunctionType") return type.parameters
  if (type.type !== "TSTypeLiteral") return null
  const call = type.members.findLast((member) => member.type === "TSCallSignatureDeclaration")
  return call?.type === "TSCallSignatureDeclaration" ? call.parameters : null
}

type Named = readonly [name: string, what: Described, isMain?: boolean]

const variables = (node: Babel.VariableDeclaration, comments: Comments): ReadonlyArray<Named> =>
  node.declarations.flatMap(({ id, init }): ReadonlyArray<Named> => {
    if (id.type !== "Identifier") return []
    const parameters = typedAsFunction(id)
    if (parameters !== null) return [[id.name, described(node, comments, "function", parameters)]]
    return [[id.name, describeValue(init, node, comments)]]
  })

/** What a statement declares, under its own names. */
const declared = (node: Babel.Node, comments: Comments): ReadonlyArray<Named> => {
  switch (node.type) {
    case "FunctionDeclaration":
    case "TSDeclareFunction":
      return node.id == null ? [] : [[node.id.name, described(node, comments, "function", node.params)]]
    case "ClassDeclaration":
      return node.id == null ? [] : [[node.id.name, described(node, comments, "class", null)]]
    case "TSInterfaceDeclaration":
      return [[node.id.name, described(node, comments, "interface", null)]]
    case "TSTypeAliasDeclaration":
      return [[node.id.name, described(node, comments, "type", null)]]
    case "TSEnumDeclaration":
      return [[node.id.name, described(node, comments, "enum", null)]]
    case "TSModuleDeclaration":
      return node.id.type === "Identifier" ? [[node.id.name, described(node, comments, "namespace", null)]] : []
    case "VariableDeclaration":
      return variables(node, comments)
    default:
      return []
  }
}

type Local = ReadonlyMap<string, Described>

const resolved = (value: Babel.Node, statement: Babel.Node, local: Local): Described =>
  (value.type === "Identifier" ? local.get(value.name) : undefined) ??
  describeValue(value, statement, statement.leadingComments)

const fromObject = (object: Babel.ObjectExpression, local: Local): ReadonlyArray<Named> =>
  object.properties.flatMap((property): ReadonlyArray<Named> => {
    if (property.type === "ObjectMethod" && !property.computed)
      return [[nameOf(property.key), described(property, property.leadingComments, "function", property.params)]]
    if (property.type !== "ObjectProperty" || property.computed) return []
    return [[nameOf(property.key), resolved(property.value, property, local)]]
  })

/** `module.exports = …`, `exports.name = …` */
const assigned = (statement: Babel.ExpressionStatement, local: Local): ReadonlyArray<Named> => {
  const { expression } = statement
  if (expression.type !== "AssignmentExpression" || expression.operator !== "=") return []
  const { left, right } = expression
  if (isModuleExports(left)) {
    if (right.type === "ObjectExpression") return fromObject(right, local)
    const own = right.type === "Identifier" ? right.name : "id" in right && right.id != null ? nameOf(right.id) : ""
    return own === "" || right.type === "CallExpression" ? [] : [[own, resolved(right, statement, local), true]]
  }
  if (left.type !== "MemberExpression" || left.computed || !isExports(left.object)) return []
  // Compilers write `exports.a = exports.b = void 0` first: names, not meanings.
  if (right.type === "AssignmentExpression" || right.type === "UnaryExpression" || right.type === "MemberExpression")
    return []
  return [[nameOf(left.property), resolved(right, statement, local)]]
}

const specifiers = (node: Babel.ExportNamedDeclaration, local: Local): ReadonlyArray<Named> =>
  node.source != null
    ? []
    : node.specifiers.flatMap((specifier): ReadonlyArray<Named> => {
        if (specifier.type !== "ExportSpecifier") return []
        const own = local.get(specifier.local.name)
        const exported = nameOf(specifier.exported)
        if (own === undefined) return []
        return exported === "default" ? [[specifier.local.name, own, true]] : [[exported, own]]
      })

const exportedBy = (statement: Babel.Statement, local: Local): ReadonlyArray<Named> => {
  switch (statement.type) {
    case "ExportNamedDeclaration":
      return statement.declaration != null
        ? declared(statement.declaration, statement.leadingComments)
        : specifiers(statement, local)
    case "ExportDefaultDeclaration": {
      const named = declared(statement.declaration, statement.leadingComments)
      if (named.length > 0 || statement.declaration.type !== "Identifier")
        return named.map(([name, what]): Named => [name, what, true])
      const own = local.get(statement.declaration.name)
      return own === undefined ? [] : [[statement.declaration.name, own, true]]
    }
    case "TSExportAssignment": {
      const own = statement.expression.type === "Identifier" ? local.get(statement.expression.name) : undefined
      return own === undefined ? [] : [[nameOf(statement.expression), own, true]]
    }
    case "ExpressionStatement":
      return assigned(statement, local)
    default:
      return []
  }
}

const toExport = ([name, what, isMain = false]: Named): ReadonlyArray<ScriptExport> => {
  if (!/^[A-Za-z$][\w$]*$/.test(name) || name === "default" || name === "__esModule" || isHidden(what.doc)) return []
  const startLine = what.node.loc?.start.line ?? 1
  return [
    {
      name,
      kind: what.kind,
      parameters: what.parameters,
      summary: summaryOf(what.doc),
      startLine,
      endLine: Math.max(startLine, what.node.loc?.end.line ?? startLine),
      isMain,
    },
  ]
}

const isBetter = (found: ScriptExport, known: ScriptExport): boolean =>
  known.kind === "namespace"
    ? found.kind !== "namespace"
    : found.kind !== "namespace" && known.summary === null && found.summary !== null

/**
 * The names that a file exports itself, in order, each once, and what it passes on. Private names and those marked internal
 * are left out. A file that cannot be parsed at all throws a SyntaxError; lesser faults are overlooked.
 */
export const read = (path: string, text: string): ScriptModule => {
  const { body } = parse(text, options(path)).program
  const local: Map<string, Described> = new Map()
  for (const statement of body) {
    const inner = statement.type === "ExportNamedDeclaration" ? (statement.declaration ?? statement) : statement
    for (const [name, what] of declared(inner, statement.leadingComments)) {
      if (!local.has(name) || local.get(name)?.kind === "namespace") local.set(name, what)
    }
  }
  const imports = importsOf(body)
  const seen = new Map<string, ScriptExport>()
  for (const found of body.flatMap((statement) => exportedBy(statement, local)).flatMap(toExport)) {
    const known = seen.get(found.name)
    if (known === undefined || isBetter(found, known)) seen.set(found.name, found)
  }
  const passedOn = body.flatMap((statement) => passedBy(statement, imports)).filter(({ from }) => from.startsWith("."))
  const passedNames = new Set(passedOn.flatMap(({ what }) => (what._tag === "Name" ? [what.exported] : [])))
  return {
    exports: [...seen.values()].filter((own) => own.kind !== "constant" || !passedNames.has(own.name)),
    passedOn,
  }
}
