import { spawnSync } from "node:child_process"
import * as fs from "node:fs"

/** The library that `faketime` preloads; undefined where it is not installed. */
export const library = (): string | undefined => {
  const { status, stdout } = spawnSync("faketime", ["-f", "+0d", "printenv", "LD_PRELOAD"], { encoding: "utf8" })
  const path = stdout?.trim().split(":").at(-1)
  return status === 0 && path !== undefined && path !== "" ? path : undefined
}

/** How far the system clock of a process is moved, as libfaketime writes it. */
export type Move = "+0d" | "-2d" | "+1y"

/** What a process needs in its environment for its wall clock to be moved by {@link move}. Its monotonic clock goes on as it is. */
export const environment = (preload: string, file: string): Readonly<Record<string, string>> => ({
  LD_PRELOAD: preload,
  FAKETIME_TIMESTAMP_FILE: file,
  FAKETIME_NO_CACHE: "1",
  FAKETIME_DONT_FAKE_MONOTONIC: "1",
})

export const move = (file: string, by: Move): void => fs.writeFileSync(file, `${by}\n`)
