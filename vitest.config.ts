import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '.carillon/**'],
    passWithNoTests: false,
    allowOnly: false,
    // The first hook that asks for a database waits for the server of the run.
    hookTimeout: 60_000,
    globalSetup: ['test/harness/postgres-server.ts'],
  },
})
