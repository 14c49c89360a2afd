import { createHash } from "node:crypto"
import type * as OpenApi from "@effect/platform/OpenApi"

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 0.9em/1.4 ui-monospace, monospace; }
pre { overflow: auto; padding: 0.75rem; border: 1px solid #8886; border-radius: 6px; }
details { border: 1px solid #8886; border-radius: 6px; margin: 0.5rem 0; padding: 0.5rem 0.75rem; }
summary { cursor: pointer; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8883; }
.method { display: inline-block; min-width: 3.5rem; font-weight: 700; }
`

const sha256 = createHash("sha256").update(STYLE).digest("base64")

/** What the page may load: its own style and nothing else, from anywhere. */
export const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${sha256}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)

const json = (value: unknown): string => `<pre>${escaped(JSON.stringify(value, null, 2))}</pre>`

const linked = (reference: string): string => {
  const name = reference.slice(reference.lastIndexOf("/") + 1)
  return `<a href="#schema-${encodeURIComponent(name)}">${escaped(name)}</a>`
}

const schema = (value: object): string => {
  if ("$ref" in value && typeof value.$ref === "string") return linked(value.$ref)
  if ("type" in value && value.type === "array" && "items" in value && typeof value.items === "object") {
    return value.items === null ? "array" : `array of ${schema(value.items)}`
  }
  const keys = Object.keys(value).filter((key) => key !== "description")
  if ("type" in value && typeof value.type === "string" && keys.length === 1) return escaped(value.type)
  return json(value)
}

const parameters = (operation: OpenApi.OpenAPISpecOperation): string => {
  if (operation.parameters.length === 0) return ""
  const rows = operation.parameters.map(
    (parameter) =>
      `<tr><td><code>${escaped(parameter.name)}</code></td><td>${escaped(parameter.in)}${parameter.required ? ", required" : ""}</td><td>${escaped(parameter.description ?? "")}</td></tr>`,
  )
  return `<h4>Parameters</h4><table><tbody>${rows.join("")}</tbody></table>`
}

const content = (bodies: OpenApi.OpenApiSpecContent | undefined): string =>
  Object.values(bodies ?? {})
    .map((body) => schema(body.schema))
    .join(" or ")

const responses = (operation: OpenApi.OpenAPISpecOperation): string => {
  const rows = Object.entries(operation.responses).map(
    ([status, response]) =>
      `<tr><td><code>${escaped(status)}</code></td><td>${escaped(response.description)}</td><td>${content(response.content)}</td></tr>`,
  )
  return `<h4>Answers</h4><table><tbody>${rows.join("")}</tbody></table>`
}

const operation = (path: string, method: string, found: OpenApi.OpenAPISpecOperation): string =>
  [
    `<details><summary><span class="method">${escaped(method.toUpperCase())}</span> <code>${escaped(path)}</code> ${escaped(found.summary ?? "")}</summary>`,
    `<p>${escaped(found.description ?? "")}</p>`,
    parameters(found),
    found.requestBody === undefined ? "" : `<h4>Body</h4>${content(found.requestBody.content)}`,
    responses(found),
    "</details>",
  ].join("\n")

const METHODS = ["get", "post", "put", "patch", "delete"] as const

/** The OpenAPI document as a page for people: plain HTML, no script, nothing loaded from anywhere. */
export const render = (spec: OpenApi.OpenAPISpec): string => {
  const operations = Object.entries(spec.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const found = item[method]
      return found === undefined ? [] : [operation(path, method, found)]
    }),
  )
  const schemas = Object.entries(spec.components.schemas).map(
    ([name, value]) =>
      `<details id="schema-${encodeURIComponent(name)}"><summary><code>${escaped(name)}</code></summary>${json(value)}</details>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(spec.info.title)} API</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${escaped(spec.info.title)} API ${escaped(spec.info.version)}</h1>
<p>${escaped(spec.info.description ?? "")}</p>
<p>The same as a document for programs: <a href="/openapi.json">/openapi.json</a></p>
<h2>Requests</h2>
${operations.join("\n")}
<h2>Schemas</h2>
${schemas.join("\n")}
</body>
</html>
`
}
