import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"
import * as Yaml from "yaml"
import { nearest } from "./Nearest.js"
import { RunConfig, type RunConfigWire } from "./RunConfig.js"

/** One thing wrong with a run config: where (`llm.max_tokens`, empty for the whole), and what would be right. */
export interface ConfigProblem {
  readonly path: string
  readonly message: string
}

/** A run config text that cannot be used. `problems` has everything found, in reading order; `message` joins them. */
export class RunConfigError extends Schema.TaggedError<RunConfigError>()("RunConfigError", {
  message: Schema.String,
  problems: Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String })),
}) {}

const refuse = (problems: ReadonlyArray<ConfigProblem>): RunConfigError =>
  new RunConfigError({
    message: problems.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("\n"),
    problems,
  })

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const dotted = (path: ReadonlyArray<PropertyKey>): string => path.map(String).join(".")

const members = (ast: SchemaAST.AST): ReadonlyMap<string, SchemaAST.AST> => {
  switch (ast._tag) {
    case "TypeLiteral":
      return new Map(ast.propertySignatures.map((property) => [String(property.name), property.type]))
    case "Union":
      return ast.types.map(members).find((found) => found.size > 0) ?? new Map()
    case "Refinement":
      return members(ast.from)
    default:
      return new Map()
  }
}

/** What the members of a list are, where it is one. */
const listed = (ast: SchemaAST.AST): SchemaAST.AST | undefined => {
  switch (ast._tag) {
    case "TupleType":
      return ast.rest[0]?.type
    case "Union":
      return ast.types.map(listed).find((found) => found !== undefined)
    case "Refinement":
      return listed(ast.from)
    default:
      return undefined
  }
}

const unknownKeys = (value: unknown, ast: SchemaAST.AST, path: ReadonlyArray<string>): ReadonlyArray<ConfigProblem> => {
  const list = listed(ast)
  if (list !== undefined && Array.isArray(value))
    return value.flatMap((member, index) => unknownKeys(member, list, [...path, String(index)]))
  const known = members(ast)
  if (known.size === 0 || !isObject(value)) return []
  return Object.entries(value).flatMap(([key, member]) => {
    const type = known.get(key)
    if (type !== undefined) return unknownKeys(member, type, [...path, key])
    const guess = nearest(key, known.keys())
    const where = path.length === 0 ? "" : ` of ${dotted(path)}`
    const hint =
      guess === undefined ? `the keys${where} are ${[...known.keys()].join(", ")}` : `did you mean "${guess}"?`
    return [{ path: dotted([...path, key]), message: `unknown key "${key}"; ${hint}` }]
  })
}

const shown = (value: unknown): string => {
  if (value === null) return "null"
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object") return "a mapping of keys"
  const text = JSON.stringify(value) ?? String(value)
  const cut = text.length > 60 ? `${text.slice(0, 57)}…` : text
  return typeof value === "string" ? `the text ${cut}` : `the ${typeof value} ${cut}`
}

const memberOf = (value: unknown, key: PropertyKey): unknown => {
  if (Array.isArray(value)) return value[Number(key)]
  return isObject(value) ? value[String(key)] : undefined
}

const at = (value: unknown, path: ReadonlyArray<PropertyKey>): unknown => path.reduce(memberOf, value)

const EXPECTATION = /^Expected (.*?), actual /s

const inWords = (expected: string): string => {
  switch (expected) {
    case "Struct (Encoded side)":
      return "a mapping of keys"
    case "string":
    case "number":
    case "boolean":
      return `a ${expected}`
    default:
      return expected
  }
}

const wrongTypes = (value: unknown, error: ParseResult.ParseError): ReadonlyArray<ConfigProblem> => {
  const issues = ParseResult.ArrayFormatter.formatErrorSync(error)
  const paths = new Map(issues.map((issue) => [dotted(issue.path), issue.path]))
  const innermost = [...paths].filter(([path]) => ![...paths.keys()].some((other) => other.startsWith(`${path}.`)))
  return innermost.map(([path, keys]) => {
    const expected = issues
      .filter((issue) => dotted(issue.path) === path)
      .map((issue) => EXPECTATION.exec(issue.message)?.[1] ?? issue.message)
      .filter((word) => word !== "undefined")
      .map(inWords)
    return { path, message: `expected ${[...new Set(expected)].join(" or ")}, found ${shown(at(value, keys))}` }
  })
}

const strict = Schema.decodeUnknownEither(RunConfig, { errors: "all" })
const Wire = Schema.encodedSchema(RunConfig)
const isWire = Schema.is(Wire)

/**
 * A run config value with every key known and every type right, as it was written: no defaults are filled in, so that
 * flags and environment can still be told from the file.
 */
export const validate = (value: unknown): Either.Either<RunConfigWire, RunConfigError> => {
  if (!isObject(value)) {
    return Either.left(refuse([{ path: "", message: `a run config is a mapping of keys, found ${shown(value)}` }]))
  }
  const unknown = unknownKeys(value, Wire.ast, [])
  const decoded = strict(value)
  const wrong = Either.isLeft(decoded) ? wrongTypes(value, decoded.left) : []
  const problems = [...unknown, ...wrong]
  return problems.length > 0 || !isWire(value) ? Either.left(refuse(problems)) : Either.right(value)
}

/** A run config with its defaults. */
export const withDefaults: (wire: RunConfigWire) => Either.Either<RunConfig, RunConfigError> = (wire) =>
  Either.mapLeft(strict(wire), (error) => refuse(wrongTypes(wire, error)))

const unwrapped = (value: unknown): Either.Either<unknown, RunConfigError> => {
  if (value === null || value === undefined) return Either.right({})
  if (!isObject(value) || !Object.hasOwn(value, "run_config")) return Either.right(value)
  const beside = Object.keys(value).filter((key) => key !== "run_config")
  if (beside.length === 0) return Either.right(value["run_config"] ?? {})
  return Either.left(
    refuse(beside.map((key) => ({ path: key, message: `unknown key "${key}" beside run_config; move it inside` }))),
  )
}

const parsed = (text: string): Either.Either<unknown, RunConfigError> => {
  const document = Yaml.parseDocument(text.replace(/^\uFEFF/, ""), { prettyErrors: true })
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      path: "",
      message: `not valid YAML or JSON: ${error.message.split("\n")[0] ?? ""}`,
    }))
    return Either.left(refuse(problems))
  }
  return Either.try({
    try: (): unknown => document.toJS({ maxAliasCount: 100 }),
    catch: (cause) =>
      refuse([{ path: "", message: `not usable YAML: ${cause instanceof Error ? cause.message : String(cause)}` }]),
  })
}

/**
 * Reads a run config from YAML or JSON, with or without a top-level `run_config:`. An unknown key at any level is refused
 * with the nearest known one; a wrong type is refused with its path, what was expected and what was found. An empty text
 * is an empty config.
 */
export const parse = (text: string): Either.Either<RunConfigWire, RunConfigError> =>
  parsed(text).pipe(Either.flatMap(unwrapped), Either.flatMap(validate))
