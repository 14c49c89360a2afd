import * as HttpApi from "@effect/platform/HttpApi"
import { Api } from "./Api.js"

interface Route {
  readonly method: string
  /** The path with its parameters' names, such as `/api/v1/runs/:id`. */
  readonly template: string
  readonly pattern: RegExp
}

const routes: ReadonlyArray<Route> = (() => {
  const found: Array<Route> = []
  HttpApi.reflect(Api, {
    onGroup: () => {},
    onEndpoint: ({ endpoint }) => {
      const pattern = new RegExp(`^${endpoint.path.replace(/:[^/]+/g, "[^/]+")}/?$`)
      found.push({ method: endpoint.method, template: endpoint.path, pattern })
    },
  })
  return found
})()

const matching = (url: string): ReadonlyArray<Route> => {
  const path = url.split("?")[0] ?? "/"
  const found = routes.filter((route) => route.pattern.test(path))
  return found.filter((route) => route.template === path).concat(found.filter((route) => route.template !== path))
}

/** The methods that a path takes; none when there is nothing. */
export const methodsOf = (url: string): ReadonlyArray<string> => [
  ...new Set(matching(url).map((route) => route.method)),
]

/** The path as the API names it, without what stands for its parameters; none when there is nothing. */
export const templateOf = (url: string): string | undefined => matching(url)[0]?.template
