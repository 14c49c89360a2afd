import * as Either from "effect/Either"
import * as Fault from "./Fault.js"

const MAX_HEADER_PLANS = 1000

/** What each coming request has to suffer. */
export interface FaultPlans {
  /**
   * The fault of the next request. A request that bears a plan of its own takes its turn among the requests with that very
   * plan, and leaves the server's plan as it is. On the left what is wrong with the request's plan.
   */
  readonly next: (ofRequest: string | undefined) => Either.Either<Fault.Fault, string>
}

/** Plans that remember how far they have come: the server's, and one for each text that requests bear. */
export const make = (plan: ReadonlyArray<Fault.PlannedFault>): FaultPlans => {
  let served = 0
  const counts = new Map<string, number>()
  return {
    next: (ofRequest) => {
      if (ofRequest === undefined || ofRequest.trim() === "") return Either.right(Fault.at(plan, served++))
      return Either.map(Fault.parse(ofRequest), (own) => {
        const count = counts.get(ofRequest) ?? 0
        if (counts.size >= MAX_HEADER_PLANS && !counts.has(ofRequest)) counts.clear()
        counts.set(ofRequest, count + 1)
        return Fault.at(own, count)
      })
    },
  }
}
