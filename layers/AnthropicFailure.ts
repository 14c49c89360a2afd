import { type Advice, type AttemptFailure, nextStep as nextStepOfAny } from "./AttemptFailure.js"

const ADVICE: Advice = {
  Authentication: "Set ANTHROPIC_API_KEY to a valid key, or use the sandbox provider, which needs none.",
  PermissionDenied: "Check that the key's workspace may use this model and has credit.",
  NotFound: "Check the model's name and ANTHROPIC_BASE_URL.",
  Connection: "Check the network and ANTHROPIC_BASE_URL.",
  MalformedResponse: "Check that ANTHROPIC_BASE_URL leads to a Messages API and not to a proxy's page.",
}

/** What to do next about a failure of the Messages API, in one sentence. */
export const nextStep = (failed: AttemptFailure, model: string): string => {
  if (failed.reason === "InvalidRequest" && /prefill/i.test(failed.detail)) {
    return `${model} continues no assistant turn: end the messages with a user turn.`
  }
  if (failed.reason === "InvalidRequest" && /credit balance|billing/i.test(failed.detail)) {
    return "Add credit to the key's account."
  }
  return nextStepOfAny(failed, model, ADVICE)
}
