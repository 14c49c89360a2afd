import { randomBytes } from "node:crypto"
import { closeSync, constants, fsyncSync, lstatSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs"
import * as fs from "node:fs/promises"
import * as nodePath from "node:path"
import * as Folder from "./Folder.js"

const CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** A file that only its owner may read or write. */
export const MODE = 0o600

/** A folder that only its owner may enter. */
export const FOLDER_MODE = 0o700

/** Whether a new content must survive a power cut, or only this process. */
export type Durability = "power" | "process"

const writeNew = async (path: string, text: string, durability: Durability): Promise<void> => {
  const file = await fs.open(path, CREATE_NEW, MODE)
  try {
    await file.writeFile(text, "utf8")
    if (durability === "power") await file.sync()
  } finally {
    await file.close()
  }
}

/** A name beside a file that no other writer of it uses. */
export const beside = (path: string): string =>
  nodePath.join(nodePath.dirname(path), `.${randomBytes(6).toString("hex")}.tmp`)

/**
 * Writes a file whole or not at all: a new file beside it takes its name. Mode 0600; a link under that name is replaced,
 * never followed. Rejects with the file system's error, and leaves nothing behind then.
 */
export const replace = async (path: string, text: string, durability: Durability): Promise<void> => {
  const temporary = beside(path)
  try {
    await writeNew(temporary, text, durability)
    await fs.rename(temporary, path)
  } catch (cause) {
    await fs.rm(temporary, { force: true })
    throw cause
  }
}

const writeNewNow = (path: string, text: string): void => {
  const fd = openSync(path, CREATE_NEW, MODE)
  try {
    writeFileSync(fd, text, "utf8")
  } finally {
    closeSync(fd)
  }
}

/**
 * {@link replace} for this process only, in one synchronous step: for small files, of which a step takes less time than
 * waiting for its turn. Throws.
 */
export const replaceNow = (path: string, text: string): void => {
  const temporary = beside(path)
  try {
    writeNewNow(temporary, text)
    renameSync(temporary, path)
  } catch (cause) {
    rmSync(temporary, { force: true })
    throw cause
  }
}

/**
 * Creates a file with its whole content in one step, or rejects with `EEXIST` when the name is taken. Where the file system
 * has no hard links the content follows a moment after the name.
 */
export const create = async (path: string, text: string): Promise<void> => {
  const temporary = beside(path)
  try {
    await writeNew(temporary, text, "power")
    await fs.link(temporary, path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === "EEXIST") throw cause
      return writeNew(path, text, "power")
    })
  } finally {
    await fs.rm(temporary, { force: true })
  }
}

/** Puts what was written to a file, or the names in a folder, on the disk. Throws. */
export const flush = (path: string): void => {
  const fd = openSync(path, "r")
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes an empty file, with the folders above it, where there is none. Throws, also when one that is there cannot be written. */
export const ensure = (path: string): void => {
  Folder.ensure(nodePath.dirname(path), FOLDER_MODE)
  closeSync(openSync(path, "a+", MODE))
}

/** The text of a regular file; `undefined` when there is none. Rejects for a link, a folder, or more than `maxBytes`. */
export const read = async (path: string, maxBytes: number): Promise<string | undefined> => {
  const file = await fs.open(path, READ).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined
    throw cause
  })
  if (file === undefined) return undefined
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new Error("it is not a regular file")
    if (stat.size > maxBytes) throw new Error(`it has ${stat.size} bytes, more than the ${maxBytes} allowed here`)
    return await file.readFile("utf8")
  } finally {
    await file.close()
  }
}

/** Makes a folder and those above it; throws when the last one is a link or no folder. `mode` is for new folders only. */
export const folder = (path: string, mode: number): void => {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return
  Folder.ensure(path, mode)
  if (!lstatSync(path).isDirectory()) throw Object.assign(new Error("not a folder"), { code: "ELOOP" })
}
