// A registry mirror that lacks a platform's optional package makes npm write a lockfile that `npm ci` refuses. This adds the
// missing entries: the version its parent pins, and the platform that its name says, so that other platforms skip it.
import * as fs from "node:fs"

const file = new URL("../../package-lock.json", import.meta.url)
const lock = JSON.parse(fs.readFileSync(file, "utf8"))
const places = Object.entries(lock.packages)

const platformOf = (name) => {
  const words = name.slice(name.lastIndexOf("/") + 1).split("-")
  const first = words.findIndex((word) =>
    /^(aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32)$/.test(word),
  )
  if (first < 0) throw new Error(`${name} does not name its platform; add it to package-lock.json by hand`)
  const [os, cpu, flavour = ""] = words.slice(first)
  const libc = os !== "linux" ? [] : /musl/.test(flavour) ? ["musl"] : ["glibc"]
  return { os, cpu, libc }
}

for (const [, parent] of places) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (places.some(([place]) => place.endsWith(`node_modules/${name}`))) continue
    if (!/^\d+\.\d+\.\d+$/.test(version))
      throw new Error(`${name}: "${version}" is a range; install it where it exists`)
    const { os, cpu, libc } = platformOf(name)
    lock.packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(parent.dev ? { dev: true } : {}),
      ...(libc.length > 0 ? { libc } : {}),
      optional: true,
      os: [os],
    }
    process.stdout.write(`added ${name} ${version}\n`)
  }
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en")))
fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
