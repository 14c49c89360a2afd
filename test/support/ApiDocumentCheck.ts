import { Validator } from "@seriousme/openapi-schema-validator"
import { Ajv2020 } from "ajv/dist/2020.js"
import { expect } from "vitest"

/** A reply as a plain client got it. */
export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: replies are looked into member by member, and a wrong shape fails the test
  readonly json: any
}

type Operations = Readonly<Record<string, { readonly responses: Readonly<Record<string, Described>> }>>

interface Described {
  readonly content?: Readonly<Record<string, unknown>>
}

interface Document {
  readonly paths: Readonly<Record<string, Operations>>
}

const pointer = (...parts: ReadonlyArray<string>): string =>
  parts.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/")

const patternOf = (template: string): RegExp => new RegExp(`^${template.replace(/\{[^}]+\}/g, "[^/]+")}$`)

/** Holds replies against the document that the server itself gives of its API. */
export const make = (text: string) => {
  const document: Document = JSON.parse(text)
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema({ $id: "api", ...JSON.parse(text) })

  const templateOf = (path: string): string | undefined => {
    const found = Object.keys(document.paths).filter((template) => patternOf(template).test(path))
    return found.find((template) => template === path) ?? found[0]
  }

  const describedAs = (method: string, template: string, status: number) => {
    const responses = document.paths[template]?.[method.toLowerCase()]?.responses ?? {}
    const key = responses[String(status)] === undefined ? "default" : String(status)
    return { key, response: responses[key] }
  }

  return {
    /** Fails unless the document is OpenAPI 3.1. */
    valid: async (): Promise<void> => {
      const result = await new Validator().validate(JSON.parse(text))
      expect(result, JSON.stringify(result)).toMatchObject({ valid: true })
    },
    /** Which operations there are, such as `GET /health`. */
    operations: Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    ),
    /** Fails unless the document foresees the reply, and its body is of the shape described. Gives the operation, if there is one. */
    fits: (method: string, path: string, reply: Reply): string | undefined => {
      const template = templateOf(path)
      if (template === undefined || document.paths[template]?.[method.toLowerCase()] === undefined) return undefined
      const { key, response } = describedAs(method, template, reply.status)
      const called = `${method} ${template}`
      expect(response, `${called} is not described`).toBeDefined()
      const type = reply.headers.get("content-type")?.split(";")[0] ?? ""
      if (reply.text !== "" || response?.content !== undefined) {
        expect(Object.keys(response?.content ?? {}), `${called} ${reply.status}`).toContain(type)
      }
      if (type === "application/json") {
        const place = pointer("paths", template, method.toLowerCase(), "responses", key, "content", type, "schema")
        const check = ajv.getSchema(`api#/${place}`)
        expect(check, place).toBeDefined()
        const fitting = check?.(reply.json)
        expect(
          fitting,
          `${called} ${reply.status}: ${ajv.errorsText(check?.errors)}\n${reply.text.slice(0, 500)}`,
        ).toBe(true)
      }
      return called
    },
  }
}

export type ApiDocumentCheck = ReturnType<typeof make>
