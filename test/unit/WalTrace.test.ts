import { describe, expect, it } from "@effect/vitest"
import * as WalTrace from "../support/WalTrace.js"

const MARK = "mark-0000000001."
const SOCKET = "24<TCP:[127.0.0.1:8765->127.0.0.1:40000]>"
const LOG = "21</data/telemetry.sqlite-wal>"

const asked = `7 read(${SOCKET}, "POST /api/v1/runs HTTP/1.1\\r\\n\\r\\n{\\"item_name\\":\\"${MARK}\\"}", 65536) = 60`
const frame = (committed: boolean) =>
  `7 pwrite64(${LOG}, "\\0\\0\\0\\1\\0\\0\\0\\${committed ? "3" : "0"}\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0", 24, 32) = 24`
const page = (mark = MARK, thread = 7) => `${thread} pwrite64(${LOG}, "\\r\\0${mark}\\377", 8192, 56) = 8192`
const written = [frame(true), page()]
const synced = `7 fdatasync(${LOG}) = 0`
const answered = `7 write(${SOCKET}, "HTTP/1.1 201 Created\\r\\n\\r\\n{}", 100) = 100`

const prove = (...lines: ReadonlyArray<string>) =>
  WalTrace.prove(
    (async function* () {
      yield* lines
    })(),
  )

describe("WalTrace", () => {
  it("an answer after the sync of its rows is proved", async () => {
    expect(await prove(asked, ...written, synced, answered)).toMatchObject({ acknowledgements: 1, synced: 1 })
  })

  it("an answer is not proved without a sync, before it, by one of another file, or by one that failed", async () => {
    const traces = [
      [asked, ...written, answered],
      [asked, ...written, answered, synced],
      [asked, ...written, synced.replace("-wal", ""), answered],
      [asked, ...written, synced.replace("= 0", "= -1 EIO (Input/output error)"), answered],
      [asked, synced, ...written, answered],
      [asked, frame(true), page("mark-0000000002."), synced, answered],
    ]
    for (const lines of traces) expect(await prove(...lines)).toMatchObject({ acknowledgements: 1, synced: 0 })
  })

  it("a sync in the middle of a transaction, or under way when the answer leaves, proves nothing", async () => {
    const half = [frame(false), page()]
    expect(await prove(asked, ...half, synced, ...written, answered)).toMatchObject({ synced: 0 })
    const begun = `9 fdatasync(${LOG} <unfinished ...>`
    const ended = "9 <... fdatasync resumed>) = 0"
    expect(await prove(asked, ...written, begun, answered, ended)).toMatchObject({ synced: 0 })
    expect(await prove(asked, ...written, begun, ended, answered)).toMatchObject({ synced: 1 })
    expect(await prove(asked, begun, ...written, ended, answered)).toMatchObject({ synced: 0 })
  })

  it("a later transaction over the same page does not make an older answer look unsafe, and refusals are not counted", async () => {
    expect(await prove(asked, ...written, synced, ...written, answered)).toMatchObject({ synced: 1 })
    expect(await prove(asked, answered.replace("201 Created", "422 No"))).toMatchObject({ acknowledgements: 0 })
  })

  it("one sync carries the answers of several connections", async () => {
    const other = (line: string) => line.replace("40000", "40001").replace(MARK, "mark-0000000002.")
    const lines = [asked, other(asked), frame(true), page(`${MARK}mark-0000000002.`), synced, answered, other(answered)]
    expect(await prove(...lines)).toMatchObject({ acknowledgements: 2, synced: 2, widest: 2, transactions: 1 })
  })
})
