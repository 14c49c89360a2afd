type JsonSchema = { readonly [key: string]: unknown }

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const typeOf = (schema: JsonSchema): unknown => {
  const type = schema["type"]
  return Array.isArray(type) ? type.find((candidate) => candidate !== "null") : type
}

const MAX_DEPTH = 12

/**
 * The simplest value of a JSON Schema that the sandbox knows how to make: constants, first choices, required members, texts
 * of `words`. References are not followed.
 */
export const sample = (schema: unknown, words: string, depth = 0): unknown => {
  if (!isSchema(schema) || depth > MAX_DEPTH) return null
  if ("const" in schema) return schema["const"]
  const [choice] = Array.isArray(schema["enum"]) ? schema["enum"] : []
  if (choice !== undefined) return choice
  for (const union of [schema["anyOf"], schema["oneOf"], schema["allOf"]]) {
    if (Array.isArray(union)) return sample(union[0], words, depth + 1)
  }
  switch (typeOf(schema)) {
    case "string":
      return words
    case "integer":
    case "number":
      return typeof schema["minimum"] === "number" ? schema["minimum"] : 0
    case "boolean":
      return false
    case "array":
      return Array.from({ length: Number(schema["minItems"] ?? 0) || 0 }, () =>
        sample(schema["items"], words, depth + 1),
      )
    case "null":
      return null
    default:
      return members(schema, words, depth)
  }
}

const members = (schema: JsonSchema, words: string, depth: number): unknown => {
  const properties = isSchema(schema["properties"]) ? schema["properties"] : {}
  const required: ReadonlyArray<unknown> = Array.isArray(schema["required"]) ? schema["required"] : []
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([name]) => required.includes(name))
      .map(([name, property]) => [name, sample(property, words, depth + 1)]),
  )
}
