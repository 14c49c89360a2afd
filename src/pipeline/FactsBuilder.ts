import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Claim from "../domain/Claim.js"
import * as DocumentClaims from "../domain/DocumentClaims.js"
import * as Facts from "../domain/Facts.js"
import * as Inventory from "../domain/Inventory.js"
import * as Manifest from "../domain/Manifest.js"
import * as ManifestClaims from "../domain/ManifestClaims.js"
import type { RunConfig } from "../domain/RunConfig.js"
import * as SymbolClaims from "../domain/SymbolClaims.js"
import { LlmSpan } from "../telemetry/LlmSpan.js"
import { Recorder } from "../telemetry/Recorder.js"
import * as Artifacts from "./Artifacts.js"
import type { Deadline } from "./Ask.js"
import type { CallLedger } from "./CallLedger.js"
import * as Documents from "./Documents.js"
import * as EnrichClaims from "./EnrichClaims.js"
import * as MapEvidence from "./MapEvidence.js"
import type { Scouted } from "./RepoScout.js"
import * as SourceTree from "./SourceTree.js"

export const WORKER = "W2.FactsBuilder"

export interface FactsInput extends Scouted {
  readonly config: RunConfig
  readonly ledger: CallLedger
  readonly deadline: Option.Option<Deadline>
}

export interface Built {
  readonly facts: Facts.ProductFacts
  /** Under which headings each claim stands, by claim id. */
  readonly headings: ReadonlyMap<string, ReadonlyArray<string>>
  readonly documents: ReadonlyArray<Documents.Document>
  readonly examples: ReadonlyArray<Documents.ExampleFile>
  readonly problems: ReadonlyArray<string>
  readonly cachedBatches: number
}

/** Only manifests at the root speak for the product; deeper ones speak for its parts. */
const readManifests = ({ tree, inventory }: Scouted) =>
  Effect.forEach(
    inventory.manifests.filter((path) => !path.includes("/")),
    (path) =>
      Effect.map(
        SourceTree.read(tree, path),
        Option.match({ onNone: () => undefined, onSome: (text) => ({ path, facts: Manifest.read(path, text) }) }),
      ),
  ).pipe(Effect.map((all) => all.filter((each) => each !== undefined)))

const placedHeadings = (placed: ReadonlyArray<Facts.PlacedClaim>): ReadonlyMap<string, ReadonlyArray<string>> => {
  const headings = new Map<string, ReadonlyArray<string>>()
  for (const { claim, headings: own } of placed) {
    if (!headings.has(claim.claim_id) || headings.get(claim.claim_id)?.length === 0) headings.set(claim.claim_id, own)
  }
  return headings
}

const positioning = (
  description: string | undefined,
  fromReadme: ReadonlyArray<Facts.PlacedClaim>,
): Facts.ProductFacts["positioning"] => {
  const opening = fromReadme.filter(({ claim, headings }) => claim.claim_kind !== "limitation" && headings.length <= 2)
  const tagline = description ?? opening[0]?.claim.claim_text ?? ""
  const sentences = opening.slice(0, 2).map(({ claim }) => claim.claim_text.replace(/([^.!?)])$/, "$1."))
  return { tagline, short_description: sentences.length === 0 ? tagline : sentences.join(" ") }
}

const apiSurface = (symbols: SymbolClaims.SymbolClaims): Facts.ProductFacts["api_surface_summary"] => {
  const byKind: Record<string, number> = {}
  for (const symbol of symbols.symbols) byKind[symbol.kind] = (byKind[symbol.kind] ?? 0) + 1
  return { symbol_count: symbols.total, by_kind: byKind, symbols: symbols.symbols }
}

const openIssue = (kind: string, message: string, number = 1) =>
  Effect.gen(function* () {
    const recorder = yield* Recorder
    yield* Effect.logDebug(message)
    const issue_id = number === 1 ? kind : `${kind}_${number}`
    yield* recorder.record({ type: "ISSUE_OPENED", payload: { issue_id, kind, message, worker: WORKER } })
  })

const askingWith = ({ config, ledger, deadline }: FactsInput) =>
  Effect.map(Effect.serviceOption(LlmSpan), (span) =>
    config.enrich
      ? Option.map(span, (service) => ({ span: service, settings: config.llm, ledger, worker: WORKER, deadline }))
      : Option.none(),
  )

/**
 * W2: reads what the repository says of its product, sentence by sentence, enriches it, finds its evidence, and writes
 * `extracted_claims.json`, `evidence_map.json` and `product_facts.json`. A repository that says nothing gives a warning and
 * empty artifacts.
 */
export const run = (input: FactsInput) =>
  Effect.gen(function* () {
    const { inventory, tree } = input
    const documents = yield* Documents.documents(tree, inventory)
    const examples = yield* Documents.examples(tree, inventory)
    const scripts = yield* Documents.scripts(tree)
    const manifests = yield* readManifests(input)

    const fromDocuments = documents.flatMap((document) =>
      DocumentClaims.read(document.path, Inventory.docSourceType(document.path), document.markdown),
    )
    const fromManifests = manifests.flatMap(({ path, facts }) => ManifestClaims.read(path, facts))
    const symbols = SymbolClaims.make(scripts.symbols)
    const placed = [...fromManifests, ...fromDocuments]
    const claims = Claim.merge([...placed.map(({ claim }) => claim), ...symbols.claims])
    yield* Artifacts.writeJson(
      "extracted_claims",
      Claim.ExtractedClaims,
      { product_slug: inventory.product_slug, claim_count: claims.length, claims },
      WORKER,
    )
    if (claims.length === 0) {
      const message = `Nothing in ${inventory.product_name} states anything about it: no claims. Add a README that says what it does.`
      yield* openIssue("no_claims", message)
    }
    if (scripts.unparsed.length > 0) {
      const shown = scripts.unparsed.slice(0, 5).join(", ")
      yield* openIssue("unparsed_sources", `${scripts.unparsed.length} source files cannot be parsed: ${shown}.`)
    }

    const enriched = yield* EnrichClaims.enrich(claims, yield* askingWith(input))
    yield* Effect.forEach(enriched.problems, (problem, position) =>
      openIssue("enrichment_fallback", `${problem}; rules were used instead.`, position + 1),
    )

    const evidence = MapEvidence.map(inventory.product_slug, claims, documents, examples)
    yield* Artifacts.writeJson("evidence_map", Facts.EvidenceMap, evidence, WORKER)

    const headings = placedHeadings(placed)
    const description = manifests.find(({ facts }) => facts.description !== undefined)?.facts.description?.text
    const readme = documents[0]?.path
    const facts: Facts.ProductFacts = {
      product_name: inventory.product_name,
      product_slug: inventory.product_slug,
      repo_url: inventory.repo_url,
      repo_sha: inventory.repo_sha,
      positioning: positioning(
        description,
        fromDocuments.filter(({ claim }) => claim.citations[0].path === readme),
      ),
      claims: enriched.claims,
      claim_groups: Facts.group(claims.map((claim) => ({ claim, headings: headings.get(claim.claim_id) ?? [] }))),
      workflows: [],
      api_surface_summary: apiSurface(symbols),
      example_inventory: examples.map(({ path, language }) => ({ path, language })),
    }
    yield* Artifacts.writeJson("product_facts", Facts.ProductFacts, facts, WORKER)
    const { problems, cachedBatches } = enriched
    return { facts, headings, documents, examples, problems, cachedBatches } satisfies Built
  })
