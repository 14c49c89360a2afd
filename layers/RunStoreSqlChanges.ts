import { createHash } from "node:crypto"
import { statSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { RunChange, RunChanges, StorePosition } from "../services/RunStore.js"
import type { RunFilter } from "../src/domain/Run.js"
import type { Database } from "./RunStoreSqlDatabase.js"
import { TEXT_SELECTION, toText } from "./RunStoreSqlRowText.js"
import { given, where } from "./RunStoreSqlWhere.js"

/** Changes that are looked at in one go, and how long their rows may grow: it ends early rather than fill the memory. */
const CHANGES_AT_ONCE = 200
const CHANGES_CHARACTERS = 4 * 1024 * 1024

/** Wakes whoever waits when something was committed. */
export interface Signal {
  readonly wake: Effect.Effect<void>
  /** What waits for the next commit after this effect began. */
  readonly next: Effect.Effect<Effect.Effect<void>>
}

/** A signal that costs a commit nothing while nobody waits. */
export const makeSignal = (): Signal => {
  let waiting: Deferred.Deferred<void> | undefined
  return {
    wake: Effect.suspend(() => {
      const woken = waiting
      waiting = undefined
      return woken === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(woken, undefined))
    }),
    next: Effect.gen(function* () {
      waiting ??= yield* Deferred.make<void>()
      return Deferred.await(waiting)
    }),
  }
}

/** The number of the newest change, of rows that are gone too. */
export const newest = (db: Database): number => {
  const [row] = db.all<{ readonly last: number }>({ text: "SELECT last FROM revisions WHERE id = 1", values: [] })
  return row?.last ?? 0
}

/**
 * A store is known by the name that it got by chance, which a backup does not share, and by the file that holds it: one that was
 * made anew, and a copy that took its place, has other changes under the same numbers.
 */
const nameOf = (db: Database, path: string): string => {
  const [row] = db.all<{ readonly store: string }>({ text: "SELECT store FROM revisions WHERE id = 1", values: [] })
  const file = statSync(path, { throwIfNoEntry: false })?.ino
  return createHash("sha256").update(`${row?.store} ${file}`).digest("hex").slice(0, 8)
}

export const position = (db: Database, path: string): StorePosition => ({
  store: nameOf(db, path),
  revision: newest(db),
})

interface Changed {
  readonly id: number
  readonly revision: number
}

/**
 * The rows that changed after a revision, told by revision alone and then filtered one by one: no filter makes SQLite walk all rows
 * of a kind, and what is held stays small. On one snapshot.
 */
export const changes = (db: Database, filter: RunFilter, after: number): RunChanges =>
  db.snapshot(() => {
    const matching = where(filter, given(filter))
    const row = `SELECT ${TEXT_SELECTION} FROM runs WHERE id = ? AND ${matching.text}`
    const lot = db.all<Changed>({
      text: "SELECT id, revision FROM runs WHERE revision > ? ORDER BY revision LIMIT ?",
      values: [after, CHANGES_AT_ONCE],
    })
    const found: Array<RunChange> = []
    let characters = 0
    let looked = 0
    for (const { id, revision } of lot) {
      if (characters >= CHANGES_CHARACTERS) break
      looked += 1
      for (const values of db.values({ text: row, values: [id, ...matching.values] })) {
        const text = toText(values)
        characters += text.length
        found.push({ revision, text })
      }
    }
    const more = looked < lot.length || lot.length === CHANGES_AT_ONCE
    const last = lot[looked - 1]?.revision ?? after
    return { changes: found, revision: more ? last : Math.max(last, newest(db)), more }
  })

/** Returns once `read` gives more than `after`. The wait begins before it is looked, so that no change falls in between. */
export const awaitChange = <E>(signal: Signal, read: Effect.Effect<number, E>, after: number): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const woken = yield* signal.next
    if ((yield* read) > after) return
    yield* woken
    yield* awaitChange(signal, read, after)
  })
