// `node src/codeCache.mjs SCRIPT FOLDER`: starts the server from the script on a new database in FOLDER, and when it answers writes
// V8's code cache beside the script. Taken only then, the cache holds the functions that a start compiles as it goes.
import * as path from "node:path"
import * as CachedScript from "./CachedScript.mjs"

const [, , script, folder] = process.argv

/** The address that the server says it listens at, in what it writes to either stream. */
const announced = new Promise((resolve) => {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream)
    let said = ""
    stream.write = (text, ...rest) => {
      said += text
      const url = /http:\/\/[\w.[\]:]+:\d+/.exec(said)?.[0]
      if (url !== undefined) resolve(url)
      return write(text, ...rest)
    }
  }
})

const compiled = CachedScript.compile(script)
process.argv.splice(
  1,
  process.argv.length,
  path.join(path.dirname(script), "runledger.js"),
  ...["serve", "--port", "0", "--db", path.join(folder, "runledger.sqlite")],
)
CachedScript.run(compiled, script)

const { status } = await fetch(`${await announced}/health`)
if (status !== 200) throw new Error(`/health answered ${status}`)
CachedScript.keep(compiled, script)
process.exit(0)
