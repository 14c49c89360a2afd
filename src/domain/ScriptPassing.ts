import type * as Babel from "@babel/types"

/** What a file passes on from another: everything, everything under one name, or names; `=` is the other's main export. */
export interface PassedOn {
  /** As written, such as `./Duration.js`. */
  readonly from: string
  readonly what:
    | { readonly _tag: "All" }
    | { readonly _tag: "Namespace"; readonly name: string }
    | { readonly _tag: "Name"; readonly own: string; readonly exported: string }
}

/** The name that an identifier or a quoted key is; empty for anything else. */
export const nameOf = (node: Babel.Node): string =>
  node.type === "StringLiteral" ? node.value : node.type === "Identifier" ? node.name : ""

export const isModuleExports = (node: Babel.Node): boolean =>
  node.type === "MemberExpression" && nameOf(node.object) === "module" && nameOf(node.property) === "exports"

export const isExports = (node: Babel.Node): boolean => nameOf(node) === "exports" || isModuleExports(node)

interface Imported {
  readonly from: string
  /** `*` for the whole module. */
  readonly own: string
}

const requiredFrom = (value: Babel.Node | null | undefined): string | undefined => {
  if (value?.type !== "CallExpression" || nameOf(value.callee) !== "require") return undefined
  const [argument] = value.arguments
  return argument?.type === "StringLiteral" ? argument.value : undefined
}

/** The names under which a file knows other files. */
export const importsOf = (body: ReadonlyArray<Babel.Statement>): ReadonlyMap<string, Imported> => {
  const imports = new Map<string, Imported>()
  for (const statement of body) {
    if (statement.type === "ImportDeclaration") {
      for (const each of statement.specifiers) {
        const own =
          each.type === "ImportSpecifier" ? nameOf(each.imported) : each.type === "ImportDefaultSpecifier" ? "=" : "*"
        imports.set(each.local.name, { from: statement.source.value, own })
      }
    }
    if (statement.type === "VariableDeclaration") {
      for (const { id, init } of statement.declarations) {
        const from = requiredFrom(init)
        if (from !== undefined && id.type === "Identifier") imports.set(id.name, { from, own: "*" })
      }
    }
  }
  return imports
}

const passImported = ({ from, own }: Imported, exported: string): PassedOn =>
  own === "*"
    ? { from, what: { _tag: "Namespace", name: exported } }
    : { from, what: { _tag: "Name", own: own === "default" ? "=" : own, exported } }

const passedByNames = (
  node: Babel.ExportNamedDeclaration,
  imports: ReadonlyMap<string, Imported>,
): ReadonlyArray<PassedOn> =>
  node.specifiers.flatMap((specifier): ReadonlyArray<PassedOn> => {
    const exported = nameOf(specifier.exported)
    if (specifier.type === "ExportNamespaceSpecifier")
      return node.source == null ? [] : [{ from: node.source.value, what: { _tag: "Namespace", name: exported } }]
    if (specifier.type !== "ExportSpecifier") return []
    if (node.source != null) return [passImported({ from: node.source.value, own: specifier.local.name }, exported)]
    const known = imports.get(specifier.local.name)
    return known === undefined ? [] : [passImported(known, exported)]
  })

const passedValue = (
  value: Babel.Node,
  exported: string,
  imports: ReadonlyMap<string, Imported>,
): ReadonlyArray<PassedOn> => {
  const from = requiredFrom(value)
  // What a CommonJS file is required for is its main export, whether that is one thing or many.
  if (from !== undefined) return [{ from, what: { _tag: "Name", own: "=", exported } }]
  if (value.type === "MemberExpression" && !value.computed) {
    const whole = requiredFrom(value.object) ?? imports.get(nameOf(value.object))?.from
    return whole === undefined ? [] : [{ from: whole, what: { _tag: "Name", own: nameOf(value.property), exported } }]
  }
  const known = value.type === "Identifier" ? imports.get(value.name) : undefined
  return known === undefined ? [] : [{ from: known.from, what: { _tag: "Name", own: "=", exported } }]
}

const passedByAssignment = (
  { expression }: Babel.ExpressionStatement,
  imports: ReadonlyMap<string, Imported>,
): ReadonlyArray<PassedOn> => {
  if (expression.type !== "AssignmentExpression" || expression.operator !== "=") return []
  const { left, right } = expression
  if (isModuleExports(left)) {
    const from = requiredFrom(right) ?? (right.type === "Identifier" ? imports.get(right.name)?.from : undefined)
    if (from !== undefined) return [{ from, what: { _tag: "All" } }]
    if (right.type !== "ObjectExpression") return []
    return right.properties.flatMap((property) =>
      property.type === "ObjectProperty" && !property.computed
        ? passedValue(property.value, nameOf(property.key), imports)
        : [],
    )
  }
  if (left.type !== "MemberExpression" || left.computed || !isExports(left.object)) return []
  return passedValue(right, nameOf(left.property), imports)
}

/** What a statement passes on. */
export const passedBy = (
  statement: Babel.Statement,
  imports: ReadonlyMap<string, Imported>,
): ReadonlyArray<PassedOn> => {
  switch (statement.type) {
    case "ExportAllDeclaration":
      return [{ from: statement.source.value, what: { _tag: "All" } }]
    case "ExportNamedDeclaration":
      return passedByNames(statement, imports)
    case "ExpressionStatement":
      return passedByAssignment(statement, imports)
    default:
      return []
  }
}
