/** A program of `src/examples` as a reader of the README would write it: our rooms become the package's paths. */
export const asReaderWrites = (example: string): string =>
  example
    .replace(/"\.\.\/index\.js"/g, '"runledger"')
    .replace(/"\.\.\/\.\.\/(services|layers)\/(\w+)\.js"/g, '"runledger/$1/$2"')
    .replace(/"\.\.\/(domain|telemetry)\/(\w+)\.js"/g, '"runledger/$1/$2"')
    .trim()

/** The programs that a document shows, by the file that the comment above each names. */
export const snippetsOf = (document: string): ReadonlyArray<{ readonly file: string; readonly code: string }> =>
  [...document.matchAll(/<!-- (src\/examples\/\S+) -->\n```ts\n([\s\S]*?)```/g)].map(([, file = "", code = ""]) => ({
    file,
    code: code.trim(),
  }))
