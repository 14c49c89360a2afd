import * as posix from "node:path/posix"
import * as Plan from "./FloorPlan.js"
import type { SourceFile } from "./SourceFile.js"

/** A broken rule: where, and what to do about it. */
export interface Violation {
  readonly path: string
  readonly line: number
  readonly message: string
}

export type Rule = (file: SourceFile) => ReadonlyArray<Violation>

const at = (file: SourceFile, line: number, message: string): Violation => ({ path: file.path, line, message })

const isRelative = (specifier: string): boolean => specifier.startsWith(".")

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const resolve = (file: SourceFile, specifier: string): string =>
  posix.join(posix.dirname(file.path), specifier).replace(/\.js$/, ".ts")

/** Every file stands in a room of the floor plan. */
export const hasRoom: Rule = (file) =>
  Plan.roomOf(file.path) === undefined
    ? [at(file, 1, "stands in no room of the floor plan; move it into the room that its noun belongs to")]
    : []

/** Rooms import only the rooms that the floor plan lets them. */
export const importsOwnRooms: Rule = (file) => {
  const room = Plan.roomOf(file.path)
  if (room === undefined) return []
  return file.imports
    .filter((one) => isRelative(one.specifier))
    .flatMap((one) => {
      const target = resolve(file, one.specifier)
      if (target.endsWith("package.json")) return []
      const other = Plan.roomOf(target)
      if (other === room) return []
      if (other === undefined || !Plan.mayImport[room].includes(other)) {
        return [at(file, one.line, `${room} may not import ${other ?? "what has no room"} (${one.specifier})`)]
      }
      const onlyTypes = Plan.typesOnly.some(([from, to]) => from === room && to === other)
      return onlyTypes && !one.typeOnly ? [at(file, one.line, `${room} may import only types of ${other}`)] : []
    })
}

const foreignProblem = (room: Plan.Room, specifier: string): string | undefined => {
  const name = packageOf(specifier)
  if (Plan.vendorPackages.includes(name) && !Plan.mayImportVendors.includes(room)) {
    return `only a layer may know the vendor package ${name}`
  }
  if (Plan.platformPackages.includes(name) && !Plan.mayImportPlatform.includes(room)) {
    return `${room} may not know its platform (${name}); ask for the @effect/platform service`
  }
  if (!Plan.pureRooms.includes(room)) return undefined
  const isOurIo = name.startsWith("@effect/")
  const isNodeIo = name.startsWith("node:") && !Plan.pureNodeModules.includes(specifier)
  return isOurIo || isNodeIo ? `${room} does no I/O, so it may not import ${specifier}` : undefined
}

/** Vendors stay behind layers, the platform behind programs, and the pure rooms stay pure. */
export const importsAllowedPackages: Rule = (file) => {
  const room = Plan.roomOf(file.path)
  if (room === undefined) return []
  return file.imports
    .filter((one) => !isRelative(one.specifier))
    .flatMap((one) => {
      const problem = foreignProblem(room, one.specifier)
      return problem === undefined ? [] : [at(file, one.line, problem)]
    })
}

/** Effect's packages are imported module by module: a barrel doubles the start-up time. */
export const importsNoBarrel: Rule = (file) =>
  file.imports
    .filter(({ specifier }) => specifier === "effect" || /^@effect\/[^/]+$/.test(specifier))
    .filter(({ specifier }) => !(specifier === "@effect/vitest" && /^(test|src\/examples)\//.test(file.path)))
    .map((one) =>
      at(file, one.line, `imports the barrel "${one.specifier}"; import its module, such as "effect/Effect"`),
    )

const isProduct = (file: SourceFile): boolean => /^(src|services|layers)\//.test(file.path) && file.path.endsWith(".ts")

const remedies = {
  "process.env": "settings come from Config",
  "wall clock": "time comes from Clock",
  "Math.random": "randomness comes from Random or IdGenerator",
  console: "say it with Effect.log, or with Console or Terminal in a command",
  "try in Effect.gen": "use Effect.try or Effect.tryPromise inside Effect.gen",
} as const

/** Time, randomness, settings and output come from services, and failures from the error channel. */
export const asksServices: Rule = (file) => {
  if (!isProduct(file)) return []
  const stolen = file.imports
    .filter((one) => one.specifier === "node:process" && one.names.includes("env"))
    .map((one) => at(file, one.line, `process.env: ${remedies["process.env"]}`))
  return [...stolen, ...file.deeds.map(({ kind, line }) => at(file, line, `${kind}: ${remedies[kind]}`))]
}

/** No drawer for odds and ends: a file or folder is named by its noun. */
export const isNamedByNoun: Rule = (file) =>
  file.path.split("/").some((part) => /^(utils?|helpers?|commons?|misc)(\.|$)/i.test(part))
    ? [at(file, 1, "is named like a drawer; name it by the noun that it holds")]
    : []

export const maximumLines = 300
export const maximumExampleLines = 40

/** Files that may be longer, and why. */
export const longFiles: Readonly<Record<string, string>> = {
  "src/setup.mjs": "one script without imports of its own, so that it runs before anything is installed",
}

/** A file tells one thing; an example fits a screen. */
export const isShort: Rule = (file) => {
  if (longFiles[file.path] !== undefined) return []
  const most = file.path.startsWith("src/examples/") ? maximumExampleLines : maximumLines
  return file.lines > most ? [at(file, most, `has ${file.lines} lines, more than ${most}; a noun is hiding in it`)] : []
}

/** A tag's key is its address, runledger/<room>/<Name>; in `services` the file bears the name too. */
export const tagsBearTheirName: Rule = (file) => {
  if (!isProduct(file)) return []
  const folder = posix.dirname(file.path).replace(/^src\//, "")
  return file.tags.flatMap(({ name, key }) => {
    if (key !== `runledger/${folder}/${name}`) {
      return [at(file, 1, `the tag ${name} has the key "${key}"; here it would be "runledger/${folder}/${name}"`)]
    }
    const misplaced = folder === "services" && posix.basename(file.path) !== `${name}.ts`
    return misplaced ? [at(file, 1, `the tag ${name} stands in a file of another name`)] : []
  })
}

export const fileRules: ReadonlyArray<Rule> = [
  hasRoom,
  importsOwnRooms,
  importsAllowedPackages,
  importsNoBarrel,
  asksServices,
  isNamedByNoun,
  isShort,
  tagsBearTheirName,
]

/** Layers that are no way of keeping one promise but several of them put together, for users of the library. */
export const compositions = ["layers/Runledger.ts"]

/** Contract suites of what the outside sees, which is no service's. */
const OUTSIDE = ["test/contract/HttpApi.test.ts"]

/** A service, its layers and its contract test share a name, and the contract test runs every layer. */
export const servicesAreKept = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Violation> => {
  const nameOf = (file: SourceFile): string => posix.basename(file.path).replace(/(\.test)?\.ts$/, "")
  const services = files.filter((file) => file.path.startsWith("services/") && file.tags.length > 0)
  const layers = files.filter((file) => file.path.startsWith("layers/") && file.exports.includes("layer"))
  const contracts = files.filter((file) => file.path.startsWith("test/contract/") && file.path.endsWith(".test.ts"))
  const serviceOf = (layer: SourceFile): SourceFile | undefined =>
    services
      .filter((service) => nameOf(layer).startsWith(nameOf(service)) && nameOf(layer) !== nameOf(service))
      .sort((left, right) => right.path.length - left.path.length)[0]
  const strays = layers
    .filter((layer) => serviceOf(layer) === undefined && !compositions.includes(layer.path))
    .map((layer) => at(layer, 1, "is a layer that is not named <Service><How>.ts"))
  const nameless = contracts
    .filter((contract) => !OUTSIDE.includes(contract.path))
    .filter((contract) => !services.some((service) => nameOf(service) === nameOf(contract)))
    .map((contract) => at(contract, 1, "is a contract test named like no service"))
  const unkept = services.flatMap((service) => {
    const own = layers.filter((layer) => serviceOf(layer) === service)
    const contract = contracts.find((file) => nameOf(file) === nameOf(service))
    if (own.length === 0) return [at(service, 1, "has no layer in layers/")]
    if (contract === undefined) return [at(service, 1, `has no test/contract/${nameOf(service)}.test.ts`)]
    const run = reachable(contract, files)
    return own
      .filter((layer) => !run.has(layer.path))
      .map((layer) => at(contract, 1, `does not run the suite on ${layer.path}`))
  })
  return [...strays, ...nameless, ...unkept]
}

/** What a test imports, directly or through files of `test`. */
const reachable = (from: SourceFile, files: ReadonlyArray<SourceFile>): ReadonlySet<string> => {
  const seen = new Set<string>()
  const visit = (file: SourceFile): void => {
    for (const one of file.imports.filter((found) => isRelative(found.specifier))) {
      const target = resolve(file, one.specifier)
      if (seen.has(target)) continue
      seen.add(target)
      const next = target.startsWith("test/") ? files.find((candidate) => candidate.path === target) : undefined
      if (next !== undefined) visit(next)
    }
  }
  visit(from)
  return seen
}

/** No line of a committed file may give away a machine: a home folder, this checkout's own path, a package registry. */
export const namesNoMachine = (
  file: { readonly path: string; readonly text: string },
  ownPaths: ReadonlyArray<string>,
) =>
  file.text.split("\n").flatMap((line, index) => {
    const found =
      ownPaths.find((own) => line.includes(own)) ??
      /(?<![\w.])\/(?:root|home\/(?!user\b)[a-z][\w-]*|Users\/[A-Za-z][\w-]*)\/\S*/.exec(line)?.[0] ??
      /\bregistry\.[a-z0-9-]+\.[a-z]{2,}/.exec(line)?.[0] ??
      /"resolved":\s*"https?:/.exec(line)?.[0]
    return found === undefined ? [] : [{ path: file.path, line: index + 1, message: `names a machine: ${found}` }]
  })

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Lockfile {
  readonly packages: Readonly<Record<string, Manifest & { readonly version?: string }>>
}

/** package.json pins every version exactly, and the lockfile has all that `npm ci` will look for. */
export const pinsExactly = (manifest: Manifest, lock: Lockfile): ReadonlyArray<string> => {
  const wanted = { ...manifest.dependencies, ...manifest.devDependencies }
  const loose = Object.entries(wanted)
    .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name}: "${version}" is a range; pin one version`)
  const moved = Object.entries(wanted)
    .filter(([name, version]) => lock.packages[`node_modules/${name}`]?.version !== version)
    .map(([name]) => `${name}: package-lock.json has another version; run npm install`)
  const missing = Object.values(lock.packages).flatMap((locked) =>
    Object.keys(locked.optionalDependencies ?? {})
      .filter((name) => !Object.keys(lock.packages).some((place) => place.endsWith(`node_modules/${name}`)))
      .map((name) => `${name}: not in package-lock.json, so npm ci refuses; run node test/support/CompleteLock.mjs`),
  )
  return [...loose, ...moved, ...missing]
}
