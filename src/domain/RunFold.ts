import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { commitUrl, repoUrl } from "./CommitUrl.js"
import { CreateOperation, type OperationWire, UpdateOperation } from "./Operation.js"
import { PATCH_FIELDS, type RunRecord, SCHEMA_VERSION } from "./Run.js"
import { inferredAfter, refusal, takenBack } from "./RunUpdate.js"

const decodeCreate = Schema.decodeUnknownEither(CreateOperation)
const decodeUpdate = Schema.decodeUnknownEither(UpdateOperation)

type Update = typeof UpdateOperation.Type

const record = (create: typeof CreateOperation.Type, id: number): RunRecord => {
  const { op: _op, ...fields } = create
  return {
    ...fields,
    id,
    schema_version: SCHEMA_VERSION,
    created_at: create.created_at ?? create.start_time,
    updated_at: null,
    commit_url: null,
    repo_url: null,
  }
}

const fieldsOf = (update: Update): Partial<RunRecord> =>
  Object.fromEntries(PATCH_FIELDS.filter((field) => update[field] !== undefined).map((field) => [field, update[field]]))

interface Row {
  readonly run: RunRecord
  readonly inferred: boolean
}

const updated = ({ run, inferred }: Row, update: Update): Row => {
  const standing = { status: run.status, inferred }
  if (refusal(standing, update) !== null) return { run, inferred }
  return {
    run: { ...run, ...takenBack(standing, update), ...fieldsOf(update) },
    inferred: inferredAfter(standing, update),
  }
}

const linked = (run: RunRecord): RunRecord => ({
  ...run,
  commit_url: commitUrl(run.git_repo, run.git_commit_hash),
  repo_url: repoUrl(run.git_repo),
})

/**
 * The rows that operations make, without a store: creates are idempotent by event_id, an update changes only the fields it
 * bears, a terminal status does not go back to running unless the run is reopened, and an inferred ending yields. Rows come
 * in the order in which they were created, `id` counting from `firstId`. What does not decode is left out.
 */
export const fold = (operations: Iterable<OperationWire>, firstId = 1): ReadonlyArray<RunRecord> => {
  const rows = new Map<string, Row>()
  for (const operation of operations) {
    if (operation.op === "create" && !rows.has(operation.event_id)) {
      const create = decodeCreate(operation)
      if (Either.isRight(create))
        rows.set(operation.event_id, { run: record(create.right, firstId + rows.size), inferred: false })
    }
    if (operation.op === "update") {
      const update = decodeUpdate(operation)
      const row = rows.get(operation.event_id)
      if (Either.isRight(update) && row !== undefined) rows.set(operation.event_id, updated(row, update.right))
    }
  }
  return Array.from(rows.values(), ({ run }) => linked(run))
}
