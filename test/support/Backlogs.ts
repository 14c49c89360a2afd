import * as fs from "node:fs"
import * as nodePath from "node:path"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as BacklogFolders from "../../layers/BacklogFolders.js"
import { Backlog, type DrainOptions } from "../../services/Backlog.js"
import type * as OpsRecorder from "./OpsRecorder.js"

const backlog = (runsDir: string, endpoint: string, more: Partial<BacklogFolders.Options> = {}) =>
  BacklogFolders.layer({ runsDir, endpoint, token: Option.none(), durability: "process", ...more }).pipe(
    Layer.provide(FetchHttpClient.layer),
  )

/** How the runs of a folder stand. */
export const survey = (runsDir: string) =>
  Effect.flatMap(Backlog, (service) => service.survey).pipe(Effect.provide(backlog(runsDir, "http://127.0.0.1:9")))

/** Delivers the runs of a folder to a server. */
export const drain = (
  runsDir: string,
  endpoint: string,
  { requestTimeout, ...asked }: Pick<BacklogFolders.Options, "requestTimeout"> & Partial<DrainOptions> = {},
) =>
  Effect.flatMap(Backlog, (service) => service.drain({ includeOffline: false, ...asked })).pipe(
    Effect.provide(backlog(runsDir, endpoint, requestTimeout === undefined ? {} : { requestTimeout })),
  )

/** What stands beside a log. */
export const cursorOf = (directory: string): { readonly lines: number; readonly held?: boolean } =>
  JSON.parse(fs.readFileSync(nodePath.join(directory, "telemetry.cursor"), "utf8"))

/** The events that a server took, in order. */
export const eventIds = (server: OpsRecorder.OpsRecorder): ReadonlyArray<string> =>
  server.applied.filter(({ op }) => op === "event").map(({ event_id }) => event_id)
