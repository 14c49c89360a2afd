import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { slug } from "../domain/Ids.js"
import * as Inventory from "../domain/Inventory.js"
import type { RunConfig } from "../domain/RunConfig.js"
import { Recorder } from "../telemetry/Recorder.js"
import * as Artifacts from "./Artifacts.js"
import type { InputIdentity } from "./Input.js"
import * as Input from "./Input.js"
import * as SourceTree from "./SourceTree.js"

export const WORKER = "W1.RepoScout"

export interface ScoutInput {
  readonly identity: InputIdentity
  /** Where the input's files are now. */
  readonly folder: string
  readonly config: RunConfig
}

export interface Scouted {
  readonly inventory: Inventory.Inventory
  readonly tree: SourceTree.SourceTree
}

const docFiles = (files: ReadonlyArray<Inventory.TreeFile>): ReadonlyArray<Inventory.DocFile> =>
  files
    .filter((file) => Inventory.isDoc(file.path))
    .map((file) => ({
      path: file.path,
      doc_type: Inventory.docType(file.path),
      relevance: Inventory.relevance(file.path),
      bytes: file.bytes,
    }))
    .toSorted((left, right) => right.relevance - left.relevance || (left.path < right.path ? -1 : 1))

/** What the tree holds, by name and place of its files alone. */
export const inventoryOf = (
  input: ScoutInput,
  tree: SourceTree.SourceTree,
  productName: string,
): Inventory.Inventory => {
  const paths = tree.files.map((file) => file.path)
  return {
    repo_url: input.config.git?.repo ?? input.identity.repoUrl,
    repo_sha: input.identity.sha,
    sha_source: input.identity.shaSource,
    product_name: productName,
    product_slug: slug(productName),
    languages: Inventory.languages(tree.files),
    doc_files: docFiles(tree.files),
    example_files: paths.filter(Inventory.isExample),
    source_files: paths.filter(
      (path) => Inventory.languageOf(path) !== undefined && !Inventory.isTest(path) && !Inventory.isExample(path),
    ),
    test_files: paths.filter(Inventory.isTest),
    source_roots: Inventory.sourceRoots(paths),
    manifests: paths.filter(Inventory.isManifest),
    file_count: tree.files.length,
    total_bytes: tree.files.reduce((total, file) => total + file.bytes, 0),
    skipped: tree.skipped,
  }
}

/** W1: looks through the folder and writes `repo_inventory.json`. Refuses a folder from which nothing can be written. */
export const run = (input: ScoutInput) =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    const tree = yield* SourceTree.walk(input.folder)
    yield* Input.requireText(tree, input.identity.location)
    const named = yield* Input.manifestName(tree)
    const productName = input.config.product_name ?? Option.getOrElse(named, () => input.identity.product)
    const inventory = inventoryOf(input, tree, productName)
    if (tree.skipped.truncated) {
      const message = `Only the first ${SourceTree.MAX_FILES} files of ${input.identity.location} were looked at.`
      yield* recorder.record({
        type: "ISSUE_OPENED",
        payload: { issue_id: "inventory_truncated", kind: "inventory_truncated", message, worker: WORKER },
      })
    }
    yield* Artifacts.writeJson("repo_inventory", Inventory.Inventory, inventory, WORKER)
    return { inventory, tree } satisfies Scouted
  })
