/** What we use of the driver, which brings no types of its own; named as in the types that others wrote for it. */
declare module "better-sqlite3" {
  namespace Database {
    type Parameter = string | number | bigint | null | Uint8Array

    interface RunResult {
      readonly changes: number
      readonly lastInsertRowid: number | bigint
    }

    interface Statement<P extends ReadonlyArray<unknown> = ReadonlyArray<Parameter>, Row = unknown> {
      /** Whether it gives rows. */
      readonly reader: boolean
      all(...parameters: P): Array<Row>
      get(...parameters: P): Row | undefined
      iterate(...parameters: P): IterableIterator<Row>
      run(...parameters: P): RunResult
      raw(on?: boolean): this
      pluck(on?: boolean): this
    }

    interface Database {
      readonly inTransaction: boolean
      prepare<P extends ReadonlyArray<unknown> = ReadonlyArray<Parameter>, Row = unknown>(
        text: string,
      ): Statement<P, Row>
      pragma(text: string, options?: { readonly simple?: boolean }): unknown
      exec(text: string): this
      function(name: string, answer: (...given: ReadonlyArray<unknown>) => unknown): this
      transaction<A extends ReadonlyArray<unknown>, B>(
        run: (...given: A) => B,
      ): ((...given: A) => B) & { readonly immediate: (...given: A) => B }
      close(): this
    }

    interface Options {
      readonly readonly?: boolean
      readonly fileMustExist?: boolean
      readonly timeout?: number
    }
  }

  const Database: new (file?: string, options?: Database.Options) => Database.Database
  export = Database
}
