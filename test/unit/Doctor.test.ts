import { describe, expect, it } from "@effect/vitest"
import * as DoctorDisk from "../../src/cli/DoctorDisk.js"
import * as DoctorSetup from "../../src/cli/DoctorSetup.js"

const MiB = 1024 ** 2
const GiB = 1024 ** 3

describe("the doctor", () => {
  it.each([
    [500 * GiB, 1000 * GiB, "ok"],
    [20 * GiB, 1000 * GiB, "warn"],
    [900 * MiB, 10 * GiB, "warn"],
    [10 * MiB, 10 * GiB, "fail"],
  ])("of %d free bytes of %d says %s, so that a disk is emptied before the log stops", (free, total, result) => {
    expect(DoctorDisk.judged("/runs", free, total, 5 * MiB)).toMatchObject({
      result,
      detail: expect.stringContaining("the runs take 5.0 MiB"),
    })
  })

  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1536, "1.5 KiB"],
    [3 * GiB, "3.0 GiB"],
    [5000 * 1024 * GiB, "5000.0 TiB"],
  ])("says %d bytes as %s", (amount, said) => {
    expect(DoctorDisk.bytes(amount)).toBe(said)
  })

  it.each([
    ["20.19.0", "ok"],
    ["22.0.0", "ok"],
    ["20.18.9", "fail"],
    ["18.20.0", "fail"],
  ])("finds Node.js %s %s", (version, result) => {
    expect(DoctorSetup.node(version).result).toBe(result)
  })
})
