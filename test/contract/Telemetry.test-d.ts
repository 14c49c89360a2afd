import type * as Effect from "effect/Effect"
import { expectTypeOf, test } from "vitest"
import type { Delivery, TelemetryService } from "../../services/Telemetry.js"

/** What a member gives when it is used: the effect itself, or what the method returns. */
type Used<Member> = Member extends (...args: never) => infer Result ? Result : Member

/** The names of the members that could fail, or need something. One synchronous step that gives nothing back cannot. */
type Fallible<Service> = {
  // biome-ignore lint/suspicious/noConfusingVoidType: it is what a method gives that gives nothing back
  [Name in keyof Service]-?: Used<NonNullable<Service[Name]>> extends Effect.Effect<unknown, never, never> | void
    ? never
    : Name
}[keyof Service]

interface Failing extends Omit<TelemetryService, "flush"> {
  readonly flush: () => Effect.Effect<Delivery, Error>
}

interface Needing extends Omit<TelemetryService, "delivery"> {
  readonly delivery: Effect.Effect<Delivery, never, "a network">
}

test("T39 no member of Telemetry can fail or needs anything", () => {
  expectTypeOf<Fallible<TelemetryService>>().toBeNever()
  expectTypeOf<keyof TelemetryService>().toEqualTypeOf<"record" | "unsafeRecord" | "flush" | "delivery">()
})

test("T39 a member that fails would be found", () => {
  expectTypeOf<Fallible<Failing>>().toEqualTypeOf<"flush">()
  expectTypeOf<Fallible<Needing>>().toEqualTypeOf<"delivery">()
  // @ts-expect-error the assertion of the first test breaks for a service of which one method fails
  expectTypeOf<Fallible<Failing>>().toBeNever()
  // @ts-expect-error and for one of which a plain effect needs something
  expectTypeOf<Fallible<Needing>>().toBeNever()
})
