// `npm run map`: every service with its promise, and under it the layers that keep it.
import * as posix from "node:path/posix"
import ts from "typescript"
import * as Repository from "./Repository.js"

interface Entry {
  readonly name: string
  readonly says: string
}

const firstSentence = (node: ts.Node): string => {
  const [comment] = ts.getJSDocCommentsAndTags(node).filter(ts.isJSDoc)
  const text = ts.getTextOfJSDocComment(comment?.comment) ?? ""
  return (/^[\s\S]*?\.(?=\s|$)/.exec(text)?.[0] ?? text).replace(/\s+/g, " ")
}

const declares = (name: string) => (statement: ts.Statement) =>
  (ts.isClassDeclaration(statement) && statement.name?.text === name) ||
  (ts.isVariableStatement(statement) &&
    statement.declarationList.declarations.some((one) => one.name.getText() === name)) ||
  (ts.isFunctionDeclaration(statement) && statement.name?.text === name)

const entries = (folder: string, declared: (file: string) => string): ReadonlyArray<Entry> =>
  Repository.list(folder)
    .filter((file) => file.endsWith(".ts"))
    .sort()
    .flatMap((file) => {
      const path = posix.join(folder, file)
      const source = ts.createSourceFile(path, Repository.read(path), ts.ScriptTarget.ES2022, true)
      const name = file.replace(/\.ts$/, "")
      const statement = source.statements.find(declares(declared(name)))
      return statement === undefined ? [] : [{ name, says: firstSentence(statement) }]
    })

const services = entries("services", (name) => name)
const layers = entries("layers", () => "layer")

const keeps = (service: Entry) => (layer: Entry) => {
  const candidates = services.filter(({ name }) => layer.name.startsWith(name))
  return candidates.sort((left, right) => right.name.length - left.name.length)[0] === service
}

const lines = services.flatMap((service) => [
  "",
  `${service.name}: ${service.says}`,
  ...layers.filter(keeps(service)).map((layer) => `  ${layer.name.padEnd(22)} ${layer.says}`.trimEnd()),
])
process.stdout.write(`${lines.slice(1).join("\n")}\n`)
