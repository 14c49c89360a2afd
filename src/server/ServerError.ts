import * as Data from "effect/Data"

/** The server could not be started. `message` says why and what to do next. */
export class ServerError extends Data.TaggedError("ServerError")<{
  readonly reason: "PortTaken" | "NotPermitted" | "AddressUnavailable" | "Unprotected" | "Failed"
  readonly host: string
  readonly port: number
  readonly message: string
  readonly cause?: unknown
}> {}

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : ""

/** What a failure to listen means. */
export const fromListen = (host: string, port: number, cause: unknown): ServerError => {
  const error = (reason: ServerError["reason"], message: string) =>
    new ServerError({ reason, host, port, message, cause })
  switch (codeOf(cause)) {
    case "EADDRINUSE":
      return error(
        "PortTaken",
        `Port ${port} of ${host} is taken by another program. Stop it, or choose another port with --port or TELEMETRY_API_PORT.`,
      )
    case "EACCES":
    case "EPERM":
      return error("NotPermitted", `This user may not listen on port ${port} of ${host}. Choose one above 1023.`)
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
    case "ENOTFOUND":
    case "EINVAL":
      return error("AddressUnavailable", `This machine has no address ${host}. Choose another with TELEMETRY_API_HOST.`)
    default:
      return error(
        "Failed",
        `The server could not listen on ${host}, port ${port}. Choose another with --host and --port.`,
      )
  }
}
