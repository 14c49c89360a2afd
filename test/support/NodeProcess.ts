import { execFile } from "node:child_process"

/** How a finished program of Node ended, and what it said. */
export interface Finished {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs Node to its end without blocking the test runner, which takes a silent worker for a dead one. */
export const node = (commandArguments: ReadonlyArray<string>, cwd: string): Promise<Finished> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...commandArguments],
      { cwd, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
      (_, stdout, stderr) => resolve({ status: child.exitCode ?? 1, stdout, stderr }),
    )
  })
