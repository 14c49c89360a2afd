import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

const unreferenced = (millis: number): Effect.Effect<void> =>
  Effect.async((resume) => {
    const timer = setTimeout(() => resume(Effect.void), millis)
    timer.unref()
    return Effect.sync(() => clearTimeout(timer))
  })

/** A sleep that does not keep the process alive: a program with nothing else to do ends. Under a test's clock it is `Effect.sleep`. */
export const sleep = (duration: Duration.DurationInput): Effect.Effect<void> =>
  Effect.clockWith((clock) =>
    clock === liveClock ? unreferenced(Duration.toMillis(duration)) : clock.sleep(Duration.decode(duration)),
  )
