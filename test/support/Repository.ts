import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { untracked } from "./FloorPlan.js"

/** The checkout that these tests stand in. */
export const root: string = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..", "..")

/** At any depth: what is not of this project. */
const skipped = [".git", "node_modules"]

const walk = (folder: string): ReadonlyArray<string> =>
  fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const place = folder === "" ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) return untracked.includes(place) || skipped.includes(entry.name) ? [] : walk(place)
    return entry.isFile() && !/\.(tsbuildinfo|tgz)$/.test(entry.name) ? [place] : []
  })

/** Every file that is or could be committed, relative, with `/`. */
export const files = (): ReadonlyArray<string> => walk("")

/** What stands at the top level, made things left out. */
export const topLevel = (): ReadonlyArray<string> =>
  fs.readdirSync(root).filter((name) => !untracked.includes(name) && !/\.(tsbuildinfo|tgz)$/.test(name))

export const list = (folder: string): ReadonlyArray<string> => fs.readdirSync(path.join(root, folder))

export const read = (file: string): string => fs.readFileSync(path.join(root, file), "utf8")

export const readJson = (file: string): unknown => JSON.parse(read(file))
