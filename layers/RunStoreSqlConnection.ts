import type * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type * as SqlConnection from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import Sqlite from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Statements from "./RunStoreSqlStatements.js"

/**
 * A connection that writes, in two ways at once: as a client for what is asked now and then, and by its statements for what
 * every request does. Both are the same connection, so that within a transaction of the client its statements are part of it.
 */
export interface Connection extends SqlClient.SqlClient {
  readonly statements: Statements.Statements
}

type Prepared = Sqlite.Statement<ReadonlyArray<unknown>>

/** Rows as a client wants them; nothing from what has no rows. */
const all = (statement: Prepared, parameters: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  if (statement.reader) return statement.all(...parameters)
  statement.run(...parameters)
  return []
}

/** Statements are prepared anew each time: some pragmas do what they do when they are prepared, not when they run. */
const clientConnection = (database: Sqlite.Database): SqlConnection.Connection => {
  const asked = <A>(text: string, use: (statement: Prepared) => A) =>
    Effect.try({
      try: () => use(database.prepare<ReadonlyArray<unknown>>(text)),
      catch: (cause) => new SqlError({ cause, message: "The statement failed" }),
    })
  const execute: SqlConnection.Connection["executeUnprepared"] = (text, parameters, transform) =>
    Effect.map(
      asked(text, (statement) => all(statement, parameters)),
      (rows) => (transform === undefined ? rows : transform(rows as ReadonlyArray<object>)),
    )
  return {
    execute,
    executeUnprepared: execute,
    executeRaw: (text, parameters) => asked(text, (statement) => all(statement, parameters)),
    executeValues: (text, parameters) =>
      asked(text, (statement) => all(statement.reader ? statement.raw(true) : statement, parameters)).pipe(
        Effect.map((rows) => rows as ReadonlyArray<ReadonlyArray<unknown>>),
      ),
    executeStream: () => Stream.dieMessage("This connection does not stream: readers have connections of their own."),
  }
}

/** Opens a file, or `:memory:`, until the scope closes. What keeps it from opening is a defect, as with the client's own. */
export const make = (path: string): Effect.Effect<Connection, never, Scope.Scope | Reactivity.Reactivity> =>
  Effect.gen(function* () {
    const database = yield* Effect.acquireRelease(
      Effect.sync(() => new Sqlite(path)),
      (open) => Effect.sync(() => open.close()),
    )
    const connection = clientConnection(database)
    const turns = yield* Effect.makeSemaphore(1)
    const client = yield* SqlClient.make({
      acquirer: turns.withPermits(1)(Effect.succeed(connection)),
      transactionAcquirer: Effect.uninterruptibleMask((restore) =>
        restore(turns.take(1)).pipe(
          Effect.zipRight(Effect.scope),
          Effect.tap((scope) => Scope.addFinalizer(scope, turns.release(1))),
          Effect.as(connection),
        ),
      ),
      compiler: Statement.makeCompilerSqlite(),
      spanAttributes: [["db.system.name", "sqlite"]],
    })
    return Object.assign(client, { statements: Statements.make(database) })
  })
