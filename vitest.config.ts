import { defineConfig } from "vitest/config"

const project = (name: string, testTimeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: testTimeout },
})

export default defineConfig({
  test: {
    pool: "forks",
    poolOptions: { forks: { minForks: 1, maxForks: 2 } },
    maxConcurrency: 4,
    projects: [
      project("unit", 20_000),
      project("contract", 30_000),
      project("integration", 120_000),
      {
        extends: true as const,
        test: {
          name: "types",
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ["test/**/*.test-d.ts"],
            tsconfig: "./tsconfig.json",
            spawnTimeout: 60_000,
          },
        },
      },
    ],
  },
})
