import ts from "typescript"

/** One import or re-export, static or dynamic, as written. */
export interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  readonly names: ReadonlyArray<string>
  readonly line: number
}

/** Something the code does that a house rule may forbid in its room. */
export interface Deed {
  readonly kind: "process.env" | "wall clock" | "Math.random" | "console" | "try in Effect.gen"
  readonly line: number
}

/** What a file says of itself to the rules: read once by the TypeScript parser, no types needed. */
export interface SourceFile {
  readonly path: string
  readonly text: string
  readonly lines: number
  readonly imports: ReadonlyArray<Import>
  readonly deeds: ReadonlyArray<Deed>
  readonly exports: ReadonlyArray<string>
  readonly tags: ReadonlyArray<{ readonly name: string; readonly key: string }>
}

const isNamed = (node: ts.Node, name: string): boolean => ts.isIdentifier(node) && node.text === name

const isMember = (node: ts.Node, object: string, member: string): boolean =>
  ts.isPropertyAccessExpression(node)
    ? isNamed(node.expression, object) && node.name.text === member
    : ts.isElementAccessExpression(node) &&
      isNamed(node.expression, object) &&
      ts.isStringLiteralLike(node.argumentExpression) &&
      node.argumentExpression.text === member

const namesOf = (clause: ts.ImportClause | undefined): ReadonlyArray<string> => {
  const bindings = clause?.namedBindings
  return bindings !== undefined && ts.isNamedImports(bindings)
    ? bindings.elements.map((element) => (element.propertyName ?? element.name).text)
    : []
}

const importOf = (node: ts.Node): Omit<Import, "line"> | undefined => {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    const clause = node.importClause
    return { specifier: node.moduleSpecifier.text, typeOnly: clause?.isTypeOnly ?? false, names: namesOf(clause) }
  }
  if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
    return { specifier: node.moduleSpecifier.text, typeOnly: node.isTypeOnly, names: [] }
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument) && ts.isStringLiteral(node.argument.literal)) {
    return { specifier: node.argument.literal.text, typeOnly: true, names: [] }
  }
  if (ts.isCallExpression(node)) {
    const [first] = node.arguments
    const dynamic = node.expression.kind === ts.SyntaxKind.ImportKeyword || isNamed(node.expression, "require")
    if (dynamic && first !== undefined && ts.isStringLiteralLike(first)) {
      return { specifier: first.text, typeOnly: false, names: [] }
    }
  }
  return undefined
}

/** `Effect.gen(function*…)`, `Effect.fn("x")(function*…)`, `Effect.fnUntraced(function*…)`. */
const isEffectGenerator = (node: ts.Node): boolean => {
  if (!ts.isFunctionExpression(node) || node.asteriskToken === undefined || !ts.isCallExpression(node.parent)) {
    return false
  }
  const callee = node.parent.expression
  const made = ts.isCallExpression(callee) ? callee.expression : callee
  return ["gen", "fn", "fnUntraced"].some((method) => isMember(made, "Effect", method))
}

const isInEffectGenerator = (node: ts.Node): boolean => {
  const owner = ts.findAncestor(node.parent, ts.isFunctionLike)
  return owner !== undefined && isEffectGenerator(owner)
}

const isWallClock = (node: ts.Node): boolean =>
  isMember(node, "Date", "now") ||
  (ts.isNewExpression(node) && isNamed(node.expression, "Date") && (node.arguments?.length ?? 0) === 0) ||
  (ts.isCallExpression(node) && isNamed(node.expression, "Date"))

const isParameter = (node: ts.Node, name: string): boolean =>
  ts.findAncestor(node, (one) => ts.isFunctionLike(one) && one.parameters.some((own) => isNamed(own.name, name))) !==
  undefined

const isConsole = (node: ts.Node): boolean =>
  ts.isPropertyAccessExpression(node) && isNamed(node.expression, "console") && !isParameter(node, "console")

const deedOf = (node: ts.Node): Deed["kind"] | undefined => {
  if (isMember(node, "process", "env")) return "process.env"
  if (isWallClock(node)) return "wall clock"
  if (isMember(node, "Math", "random")) return "Math.random"
  if (isConsole(node)) return "console"
  if (ts.isTryStatement(node) && isInEffectGenerator(node)) return "try in Effect.gen"
  return undefined
}

const isExported = (node: ts.Node): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((m) => m.kind === ts.SyntaxKind.ExportKeyword) ?? false)

const exportsOf = (node: ts.Node): ReadonlyArray<string> => {
  if (ts.isExportDeclaration(node)) {
    const clause = node.exportClause
    return clause !== undefined && ts.isNamedExports(clause) ? clause.elements.map((element) => element.name.text) : []
  }
  if (!isExported(node)) return []
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.map((one) => one.name.getText())
  const isDeclaration = ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)
  return isDeclaration && node.name !== undefined ? [node.name.text] : []
}

const tagOf = (node: ts.Node): SourceFile["tags"][number] | undefined => {
  if (!ts.isClassDeclaration(node) || node.name === undefined) return undefined
  const base = node.heritageClauses?.[0]?.types[0]?.expression
  if (base === undefined || !ts.isCallExpression(base) || !ts.isCallExpression(base.expression)) return undefined
  const [key] = base.expression.arguments
  const isTag = isMember(base.expression.expression, "Context", "Tag")
  return isTag && key !== undefined && ts.isStringLiteral(key) ? { name: node.name.text, key: key.text } : undefined
}

/** Reads a source. `path` is relative to the project, with `/`. */
export const parse = (path: string, text: string): SourceFile => {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
  const imports: Array<Import> = []
  const deeds: Array<Deed> = []
  const exported: Array<string> = []
  const tags: Array<SourceFile["tags"][number]> = []
  const visit = (node: ts.Node): void => {
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
    const found = importOf(node)
    if (found !== undefined) imports.push({ ...found, line })
    const kind = deedOf(node)
    if (kind !== undefined) deeds.push({ kind, line })
    const tag = tagOf(node)
    if (tag !== undefined) tags.push(tag)
    ts.forEachChild(node, visit)
  }
  visit(source)
  for (const statement of source.statements) exported.push(...exportsOf(statement))
  const lines = text.endsWith("\n") ? text.split("\n").length - 1 : text.split("\n").length
  return { path, text, lines, imports, deeds, exports: exported, tags }
}
