// Reads the given paths over and over, one after the other, until its input ends; then says how often it got round.
// `node ServerReading.mjs <url> <path> …`
import { connect, read } from "./ServerLoad.js"

const [url = "", ...paths] = process.argv.slice(2)
const connection = connect(url)
let isOver = false
process.stdin.once("end", () => {
  isOver = true
})
process.stdin.resume()

let reads = 0
let bytes = 0
while (!isOver) {
  for (const path of paths) {
    if (isOver) break
    bytes += (await read(connection, path)).body.length
    reads += 1
  }
}
connection.close()
process.stdout.write(`${JSON.stringify({ reads, bytes })}\n`)
