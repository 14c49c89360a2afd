import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { inert, type Style } from "./Ansi.js"
import { checkFailed } from "./CommandError.js"
import { examine } from "./Doctor.js"
import type { Finding } from "./DoctorFinding.js"
import * as Dress from "./Dress.js"
import * as Environment from "./Environment.js"
import * as Figures from "./Figures.js"
import { printJson } from "./Reading.js"
import * as Table from "./Table.js"

const coloured = (style: Style, { result }: Finding): string => {
  if (result === "ok") return style.green(result)
  return result === "warn" ? style.yellow(result) : style.red(result)
}

const report = (style: Style, findings: ReadonlyArray<Finding>): string =>
  Table.render(
    [{ title: "CHECK" }, { title: "" }, { title: "FOUND" }],
    findings.flatMap((finding) => [
      [finding.check, coloured(style, finding), inert(finding.detail)],
      ...(finding.mend === null ? [] : [["", "", style.bold(`→ ${inert(finding.mend)}`)]]),
    ]),
    style.dim,
  )

/** `doctor`: what is wrong with this set-up and how to mend it; exit code 3 when something is. */
export const program = (options: { readonly json: boolean }) =>
  Effect.gen(function* () {
    const findings = yield* examine(yield* Environment.load, process.versions.node)
    yield* options.json ? printJson(findings) : Console.log(report(yield* Dress.style, findings))
    const failed = findings.filter((finding) => finding.result === "fail")
    if (failed.length > 0) {
      return yield* checkFailed(
        `${Figures.plural(failed.length, "check")} failed: ${failed.map((finding) => finding.check).join(", ")}.`,
      )
    }
  })
