/** The response header by which the sandbox provider says what it is, whatever address or key reached it. */
export const SANDBOX_HEADER = "x-runledger-sandbox"

/** Its value: the version of the sandbox's behaviour. */
export const SANDBOX_VERSION = "1"

/** A request may choose how the sandbox misbehaves by this header; see `src/sandbox/README.md`. */
export const SANDBOX_FAULT_HEADER = "x-runledger-fault"
