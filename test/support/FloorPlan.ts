/** The rooms of the house. `tools` are the scripts that build it; `config` the settings that are programs. */
export type Room =
  | "domain"
  | "services"
  | "layers"
  | "telemetry"
  | "pipeline"
  | "sandbox"
  | "server"
  | "dashboard"
  | "cli"
  | "main"
  | "index"
  | "examples"
  | "test"
  | "tools"
  | "config"

const everything: ReadonlyArray<Room> = [
  "domain",
  "services",
  "layers",
  "telemetry",
  "pipeline",
  "sandbox",
  "server",
  "cli",
]

/** Which other rooms of ours a room may import. Its own it always may. */
export const mayImport: Readonly<Record<Room, ReadonlyArray<Room>>> = {
  domain: [],
  services: ["domain"],
  layers: ["domain", "services"],
  telemetry: ["domain", "services"],
  pipeline: ["domain", "services", "telemetry"],
  sandbox: ["domain"],
  server: ["domain", "services"],
  dashboard: ["domain", "server"],
  cli: ["domain", "services", "telemetry", "pipeline", "sandbox", "server"],
  main: [...everything, "tools"],
  index: ["domain", "services", "layers", "telemetry"],
  examples: [...everything, "index"],
  test: [...everything, "main", "index", "examples", "tools"],
  tools: [],
  config: [],
}

/** Rooms whose files reach the other room's code at run time only through types. */
export const typesOnly: ReadonlyArray<readonly [Room, Room]> = [["dashboard", "server"]]

/** Packages that are some vendor's: translated at a layer's edge, unknown elsewhere. */
export const vendorPackages = [
  "@anthropic-ai/sdk",
  "@effect/sql-sqlite-node",
  "@pydantic/genai-prices",
  "better-sqlite3",
]
export const mayImportVendors: ReadonlyArray<Room> = ["layers", "main", "test"]

/** What runs on Node itself: where a program meets its platform. */
export const platformPackages = ["@effect/platform-node", "@effect/platform-node-shared"]
export const mayImportPlatform: ReadonlyArray<Room> = ["layers", "sandbox", "server", "main", "examples", "test"]

/** Rooms without I/O, and the parts of Node that are pure enough for them. */
export const pureRooms: ReadonlyArray<Room> = ["domain", "services"]
export const pureNodeModules = ["node:buffer", "node:crypto", "node:path/posix", "node:url", "node:util"]

export const topLevel = [
  ".ci",
  ".editorconfig",
  ".gitattributes",
  ".gitignore",
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "biome.json",
  "layers",
  "package-lock.json",
  "package.json",
  "services",
  "src",
  "test",
  "tsconfig.json",
  "tsconfig.lib.json",
  "vitest.config.ts",
]

/** Made by running the project; never committed. */
export const untracked = [".git", ".runledger", "dist", "node_modules", "runs"]

/** What may stand in `src` and `test`. */
export const secondLevel: Readonly<Record<string, ReadonlyArray<string>>> = {
  src: [
    "CachedScript.mjs",
    "build.mjs",
    "cli",
    "codeCache.mjs",
    "dashboard",
    "domain",
    "examples",
    "index.ts",
    "launcher.mjs",
    "main.ts",
    "pipeline",
    "sandbox",
    "server",
    "setup.mjs",
    "telemetry",
  ],
  test: ["bench", "contract", "integration", "support", "unit"],
}

const files: Readonly<Record<string, Room>> = {
  "src/main.ts": "main",
  "src/index.ts": "index",
  "src/setup.mjs": "tools",
  "src/build.mjs": "tools",
  "src/codeCache.mjs": "tools",
  "src/CachedScript.mjs": "tools",
  "src/launcher.mjs": "main",
  "vitest.config.ts": "config",
}

const folders: ReadonlyArray<readonly [string, Room]> = [
  ["services/", "services"],
  ["layers/", "layers"],
  ["test/", "test"],
  ["src/domain/", "domain"],
  ["src/telemetry/", "telemetry"],
  ["src/pipeline/", "pipeline"],
  ["src/sandbox/", "sandbox"],
  ["src/server/", "server"],
  ["src/dashboard/", "dashboard"],
  ["src/cli/", "cli"],
  ["src/examples/", "examples"],
]

/** The room a file stands in; undefined when the floor plan has none for it. */
export const roomOf = (path: string): Room | undefined =>
  files[path] ?? folders.find(([folder]) => path.startsWith(folder))?.[1]
