import { type SpawnSyncReturns, spawnSync } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as nodePath from "node:path"

const run = (command: string, commandArguments: ReadonlyArray<string>): SpawnSyncReturns<string> =>
  spawnSync(command, [...commandArguments], { encoding: "utf8" })

const must = (command: string, commandArguments: ReadonlyArray<string>): void => {
  const { status, stderr, error } = run(command, commandArguments)
  if (status !== 0) throw new Error(`${command} ${commandArguments.join(" ")}: ${error?.message ?? stderr}`)
}

/** Returns whether it worked, and leaves nothing behind. */
const works = (attempt: (folder: string) => void): boolean => {
  const folder = fs.mkdtempSync(nodePath.join(os.tmpdir(), "runledger-disk-"))
  try {
    attempt(folder)
    return true
  } catch {
    return false
  } finally {
    run("umount", [folder])
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** A file system of its own in a folder. */
export interface Disk {
  readonly folder: string
  /** Unmounts it and forgets what was on it. */
  readonly remove: () => void
}

const temporary = (): string => fs.mkdtempSync(nodePath.join(os.tmpdir(), "runledger-disk-"))

/** A file system in memory of so many kilobytes. Throws where this process may not mount one. */
export const small = (kilobytes: number): Disk => {
  const folder = temporary()
  try {
    must("mount", ["-t", "tmpfs", "-o", `size=${kilobytes}k`, "tmpfs", folder])
  } catch (cause) {
    fs.rmdirSync(folder)
    throw cause
  }
  return {
    folder,
    remove: () => {
      must("umount", [folder])
      fs.rmdirSync(folder)
    },
  }
}

/** Leaves so many kilobytes free, and gives back what gives the rest free. */
export const fill = (folder: string, freeKilobytes: number): (() => void) => {
  const ballast = nodePath.join(folder, "ballast")
  const { bavail, bsize } = fs.statfsSync(folder)
  fs.writeFileSync(ballast, Buffer.alloc(bavail * bsize - freeKilobytes * 1024))
  return () => fs.rmSync(ballast)
}

export type Kind = "ext4" | "xfs"

/** A file system on a disk of its own, whose power can be cut. */
export interface Loop extends Disk {
  /**
   * Stops it where it stands: nothing that is not on the disk yet gets there any more, and everything asked of it fails. Unlike a
   * cut of power this takes a moment, and ext4 may say within it that a flush succeeded which did not (1 to 6 times in 120
   * under Linux 6.18, also for a bare loop of write and fdatasync): only what was acknowledged before counts.
   */
  readonly cutPower: () => void
  /** Mounts it again, as after a restart. Whoever still holds files of it must be gone. */
  readonly restart: () => void
}

const MAKE: Readonly<Record<Kind, ReadonlyArray<string>>> = {
  ext4: ["mkfs.ext4", "-q", "-F"],
  xfs: ["mkfs.xfs", "-q", "-f"],
}
/** No xfs is smaller. */
const IMAGE_BYTES = 320 * 1024 * 1024

/** A new file system in a sparse file. Throws where this process may not mount one, or lacks the tools. */
export const loop = (kind: Kind): Loop => {
  const folder = temporary()
  const image = `${folder}.image`
  const mount = (): void => must("mount", ["-o", "loop", image, folder])
  const forget = (): void => {
    fs.rmSync(image, { force: true })
    fs.rmdirSync(folder)
  }
  try {
    fs.writeFileSync(image, "")
    fs.truncateSync(image, IMAGE_BYTES)
    const [command = "", ...commandArguments] = MAKE[kind]
    must(command, [...commandArguments, image])
    mount()
  } catch (cause) {
    forget()
    throw cause
  }
  return {
    folder,
    cutPower: () => must("xfs_io", ["-x", "-c", "shutdown", folder]),
    restart: () => {
      must("umount", [folder])
      mount()
    },
    remove: () => {
      run("umount", [folder])
      forget()
    },
  }
}

/** Whether a small file system can be mounted here, which needs root. */
export const canMount = (): boolean => works(() => small(64).remove())

/** Whether a file system can be made, mounted and shut down here: root, loop devices, its mkfs and xfs_io. */
export const canCutPower = (kind: Kind): boolean =>
  works(() => {
    const disk = loop(kind)
    try {
      disk.cutPower()
    } finally {
      disk.remove()
    }
  })
