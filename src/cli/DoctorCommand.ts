import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { json } from "./ReadOptions.js"

/** Says what is wrong with this set-up. */
export const doctor = Command.make("doctor", { json }, (given) =>
  Effect.flatMap(
    Effect.promise(() => import("./DoctorProgram.js")),
    ({ program }) => program(given),
  ),
)
