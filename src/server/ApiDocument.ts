import * as OpenApi from "@effect/platform/OpenApi"
import { Api } from "./Api.js"

const LIBRARY_ERROR = "#/components/schemas/HttpApiDecodeError"
const LIBRARY_SCHEMAS = ["HttpApiDecodeError", "Issue", "PropertyKey"]

const isLibraryError = (schema: unknown): boolean =>
  typeof schema === "object" && schema !== null && "$ref" in schema && schema.$ref === LIBRARY_ERROR

type Bodies = OpenApi.OpenApiSpecContent
type Schema = NonNullable<Bodies["application/json"]>["schema"]

const isOurs = (schema: object): schema is Schema => !isLibraryError(schema)

const own = (bodies: Bodies): Bodies | undefined => {
  const body = bodies["application/json"]
  if (body === undefined) return bodies
  if (!isOurs(body.schema)) return undefined
  if (!("anyOf" in body.schema)) return bodies
  const [only, another] = body.schema.anyOf.filter(isOurs)
  return only === undefined || another !== undefined ? bodies : { "application/json": { schema: only } }
}

/** What stands before every route answers alike: a wrong Host, token, page or size, too many requests, and the unforeseen. */
const OTHERWISE: OpenApi.OpenApiSpecResponse = {
  description: "The request is refused, or cannot be answered",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
}

/** A token where the server asks for one. */
const SECURITY: Array<OpenApi.OpenAPISecurityRequirement> = [{}, { token: [] }]

const operation = (found: OpenApi.OpenAPISpecOperation): OpenApi.OpenAPISpecOperation => {
  const responses: typeof found.responses = {}
  for (const [status, response] of Object.entries(found.responses)) {
    const content = response.content === undefined ? undefined : own(response.content)
    if (response.content === undefined) Object.assign(responses, { [status]: response })
    else if (content !== undefined) Object.assign(responses, { [status]: { ...response, content } })
  }
  Object.assign(responses, { default: OTHERWISE })
  return { ...found, responses, security: SECURITY }
}

const METHODS = ["get", "post", "patch"] as const

const pathItem = (item: OpenApi.OpenAPISpecPathItem): OpenApi.OpenAPISpecPathItem => {
  const mended: OpenApi.OpenAPISpecPathItem = { ...item }
  for (const method of METHODS) {
    const found = item[method]
    if (found !== undefined) mended[method] = operation(found)
  }
  return mended
}

/** The library names every schema of anything alike, and a name may be given once. */
const unnamed = (key: string, value: unknown): unknown =>
  key === "$id" && typeof value === "string" && value.startsWith("/schemas/") ? undefined : value

const withoutNames = (spec: OpenApi.OpenAPISpec): OpenApi.OpenAPISpec => JSON.parse(JSON.stringify(spec, unnamed))

/**
 * The OpenAPI document of the API. The library documents a decoding error of its own on every route; that one never leaves
 * this server, so it is taken out.
 */
export const make = (): OpenApi.OpenAPISpec => {
  const spec = withoutNames(OpenApi.fromApi(Api, { additionalPropertiesStrategy: "allow" }))
  return {
    ...spec,
    paths: Object.fromEntries(Object.entries(spec.paths).map(([path, item]) => [path, pathItem(item)])),
    components: {
      ...spec.components,
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "Where the server asks for a token" } },
      schemas: Object.fromEntries(
        Object.entries(spec.components.schemas).filter(([name]) => !LIBRARY_SCHEMAS.includes(name)),
      ),
    },
  }
}
