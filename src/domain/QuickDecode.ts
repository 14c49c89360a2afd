import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as AST from "effect/SchemaAST"

/** The answer of a {@link Quick} that cannot vouch for the value: the schema itself must judge, and say what is wrong. */
export const UNSURE = Symbol.for("runledger/domain/QuickDecode/Unsure")

/** A decoder of plain values. What it returns is what the schema would return; it never returns what the schema refuses. */
export type Quick<A> = (value: unknown) => A | typeof UNSURE

type Step = Quick<unknown>

const OPTIONS = {}

const has = (value: object, name: PropertyKey): boolean => Object.hasOwn(value, name)

const isRecord = (value: unknown): value is Readonly<Record<PropertyKey, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const when =
  (isIt: (value: unknown) => boolean): Step =>
  (value) =>
    isIt(value) ? value : UNSURE

const settled = (result: unknown): unknown =>
  Either.isEither(result) && Either.isRight(result) ? result.right : UNSURE

const compileAll = (asts: ReadonlyArray<AST.AST>, keep: boolean): ReadonlyArray<Step> | undefined => {
  const steps = asts.flatMap((ast) => compile(ast, keep) ?? [])
  return steps.length === asts.length ? steps : undefined
}

const firstOf = (steps: ReadonlyArray<Step>): Step => {
  const [only, another] = steps
  if (only !== undefined && another === undefined) return only
  return (value) => {
    for (const step of steps) {
      const result = step(value)
      if (result !== UNSURE) return result
    }
    return UNSURE
  }
}

const isText = (value: unknown): value is string => typeof value === "string"

/** The texts of a property that tells the members of a union apart. */
const tagOf = (member: AST.AST, name: PropertyKey): string | undefined => {
  if (member._tag !== "TypeLiteral") return undefined
  const type = member.propertySignatures.find((property) => property.name === name && !property.isOptional)?.type
  return type?._tag === "Literal" && isText(type.literal) ? type.literal : undefined
}

const discriminatorOf = ([first, ...others]: ReadonlyArray<AST.AST>): PropertyKey | undefined =>
  first?._tag === "TypeLiteral" && others.length > 0
    ? first.propertySignatures
        .map(({ name }) => name)
        .find((name) => [first, ...others].every((member) => tagOf(member, name) !== undefined))
    : undefined

const union = (ast: AST.Union, keep: boolean): Step | undefined => {
  const steps = compileAll(ast.types, keep)
  if (steps === undefined) return undefined
  const name = discriminatorOf(ast.types)
  if (name === undefined) return firstOf(steps)
  const byTag = new Map<unknown, Array<Step>>()
  for (const [index, member] of ast.types.entries()) {
    const tag = tagOf(member, name)
    const step = steps[index]
    if (step !== undefined) byTag.set(tag, [...(byTag.get(tag) ?? []), step])
  }
  const choices = new Map(Array.from(byTag, ([tag, some]) => [tag, firstOf(some)]))
  return (value) => {
    const step = isRecord(value) && has(value, name) ? choices.get(value[name]) : undefined
    return step === undefined ? UNSURE : step(value)
  }
}

const refinement = (ast: AST.Refinement, keep: boolean): Step | undefined => {
  const from = compile(ast.from, keep)
  if (from === undefined) return undefined
  return (value) => {
    const result = from(value)
    return result === UNSURE || Option.isSome(ast.filter(result, OPTIONS, ast)) ? UNSURE : result
  }
}

const array = (ast: AST.TupleType, keep: boolean): Step | undefined => {
  const [rest, another] = ast.rest
  if (rest === undefined || another !== undefined || ast.elements.some(({ isOptional }) => isOptional)) return undefined
  const first = compileAll(
    ast.elements.map(({ type }) => type),
    keep,
  )
  const others = compile(rest.type, keep)
  if (first === undefined || others === undefined) return undefined
  return (value) => {
    if (!Array.isArray(value) || value.length < first.length) return UNSURE
    const results = value.map((item, index) => (first[index] ?? others)(item))
    if (results.includes(UNSURE)) return UNSURE
    return keep ? value : results
  }
}

interface Property {
  readonly name: PropertyKey
  readonly step: Step
  readonly isOptional: boolean
  readonly absent: ((given: Option.Option<unknown>) => Option.Option<unknown>) | undefined
}

/** Looks at the members that are there, which are fewer than those that may be. */
const kept = (properties: ReadonlyArray<Property>): Step => {
  const steps = new Map<PropertyKey, Property>(properties.map((property) => [property.name, property]))
  const required = properties.filter(({ isOptional }) => !isOptional).length
  return (value) => {
    if (!isRecord(value)) return UNSURE
    let missing = required
    for (const name in value) {
      const property = steps.get(name)
      if (property === undefined) continue
      if (property.step(value[name]) === UNSURE) return UNSURE
      if (!property.isOptional) missing -= 1
    }
    return missing === 0 ? value : UNSURE
  }
}

const built =
  (properties: ReadonlyArray<Property>): Step =>
  (value) => {
    if (!isRecord(value)) return UNSURE
    const output: Record<PropertyKey, unknown> = {}
    for (const { name, step, isOptional, absent } of properties) {
      const member = value[name]
      const isThere = member !== undefined || has(value, name)
      if (!isThere && !isOptional) return UNSURE
      const result = isThere ? step(member) : undefined
      if (result === UNSURE) return UNSURE
      if (absent === undefined) {
        if (isThere) output[name] = result
        continue
      }
      const told = absent(isThere ? Option.some(result) : Option.none())
      if (Option.isSome(told)) output[name] = told.value
    }
    return output
  }

const propertiesOf = (
  ast: AST.TypeLiteral,
  keep: boolean,
  changes: ReadonlyArray<AST.PropertySignatureTransformation>,
): ReadonlyArray<Property> | undefined => {
  if (changes.some((change) => change.from !== change.to)) return undefined
  // What every object inherits would look as if it were given.
  if (ast.propertySignatures.some(({ name }) => name in Object.prototype)) return undefined
  const steps = compileAll(
    ast.propertySignatures.map(({ type }) => type),
    keep,
  )
  return steps?.flatMap((step, index) => {
    const property = ast.propertySignatures[index]
    if (property === undefined) return []
    const { name, isOptional } = property
    return [{ name, step, isOptional, absent: changes.find((change) => change.from === name)?.decode }]
  })
}

/** Nothing inside of such a value is left out or changed in decoding. */
const isKeptWhole = ({ _tag }: AST.AST): boolean =>
  _tag === "UnknownKeyword" || _tag === "StringKeyword" || _tag === "NumberKeyword" || _tag === "BooleanKeyword"

const unrefined = (ast: AST.AST): AST.AST => (ast._tag === "Refinement" ? unrefined(ast.from) : ast)

/** Of any texts to values of one kind. */
const record = ({ indexSignatures, propertySignatures }: AST.TypeLiteral): Step | undefined => {
  const [only, another] = indexSignatures
  if (only === undefined || another !== undefined || propertySignatures.length > 0) return undefined
  if (only.parameter._tag !== "StringKeyword") return undefined
  if (only.type._tag === "UnknownKeyword") return when(isRecord)
  const step = compile(only.type, true)
  if (step === undefined) return undefined
  return when((value) => isRecord(value) && Object.values(value).every((one) => step(one) !== UNSURE))
}

/** A schema that copies loses a member of that name. */
const withoutProto = (step: Step | undefined): Step | undefined =>
  step && ((value) => (isRecord(value) && has(value, "__proto__") ? UNSURE : step(value)))

const struct = (
  ast: AST.TypeLiteral,
  keep: boolean,
  changes: ReadonlyArray<AST.PropertySignatureTransformation> = [],
): Step | undefined => {
  const { propertySignatures, indexSignatures } = ast
  if (indexSignatures.length > 0) {
    if (keep) return record(ast)
    return indexSignatures.every(({ type }) => isKeptWhole(unrefined(type))) ? withoutProto(record(ast)) : undefined
  }
  if (propertySignatures.length === 0) return undefined
  const properties = propertiesOf(ast, keep, changes)
  if (properties === undefined) return undefined
  return keep ? kept(properties) : built(properties)
}

const transformation = (ast: AST.Transformation): Step | undefined => {
  const { from, to, transformation: change } = ast
  if (change._tag === "TypeLiteralTransformation") {
    return from._tag === "TypeLiteral" ? struct(from, false, change.propertySignatureTransformations) : undefined
  }
  const [before, after] = [compile(from, false), compile(to, false)]
  if (before === undefined || after === undefined || change._tag !== "FinalTransformation") return undefined
  const decode: (given: unknown, options: AST.ParseOptions, self: AST.Transformation, value: unknown) => unknown =
    change.decode
  return (value) => {
    const given = before(value)
    if (given === UNSURE) return UNSURE
    const result = settled(decode(given, OPTIONS, ast, value))
    return result === UNSURE ? UNSURE : after(result)
  }
}

const declaration = (ast: AST.Declaration): Step | undefined => {
  if (ast.typeParameters.length > 0) return undefined
  const decode: (value: unknown, options: AST.ParseOptions, self: AST.Declaration) => unknown = ast.decodeUnknown()
  return (value) => settled(decode(value, OPTIONS, ast))
}

const compile = (ast: AST.AST, keep: boolean): Step | undefined => {
  switch (ast._tag) {
    case "StringKeyword":
      return when(isText)
    case "NumberKeyword":
      return when((value) => typeof value === "number")
    case "BooleanKeyword":
      return when((value) => typeof value === "boolean")
    case "UndefinedKeyword":
      return when((value) => value === undefined)
    case "UnknownKeyword":
      return (value) => value
    case "Literal":
      return when((value) => value === ast.literal)
    case "Refinement":
      return refinement(ast, keep)
    case "Union":
      return union(ast, keep)
    case "TupleType":
      return array(ast, keep)
    case "TypeLiteral":
      return struct(ast, keep)
    case "Declaration":
      return declaration(ast)
    case "Transformation":
      return keep ? undefined : transformation(ast)
    default:
      return undefined
  }
}

/**
 * A decoder made of a schema once, several times as fast as walking the schema for every value. With `keepUnknown` a valid
 * value comes back itself, with all its members; a schema that transforms cannot be compiled so. What cannot be compiled, or
 * is not surely valid, is {@link UNSURE}.
 */
export const make = <A, I>(schema: Schema.Schema<A, I>, options: { readonly keepUnknown: boolean }): Quick<A> => {
  const step = compile(schema.ast, options.keepUnknown)
  return step === undefined ? () => UNSURE : (step as Quick<A>)
}
