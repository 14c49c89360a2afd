/** The response header by which the sandbox provider says what it is, whatever address or key reached it. */
export const SANDBOX_HEADER = "x-runledger-sandbox"

/** How the ids of its answers begin, after the API's own prefix: SDKs that hide the headers mostly show the id. */
export const SANDBOX_ID = "sandbox_"

/** Whether an answer's id says that the sandbox gave it. */
export const isSandboxId = (id: string): boolean => /^(?:msg_|chatcmpl-)sandbox_/.test(id)

/** Its value: the version of the sandbox's behaviour. */
export const SANDBOX_VERSION = "1"

/** A request may choose how the sandbox misbehaves by this header; see `src/sandbox/README.md`. */
export const SANDBOX_FAULT_HEADER = "x-runledger-fault"
