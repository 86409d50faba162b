import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '.carillon/**'],
    passWithNoTests: false,
    allowOnly: false,
    // Limits are there to end what hangs. They judge no speed: machines are slow, and busy with other things beside the tests.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    globalSetup: ['test/harness/postgres/postgres-server.ts'],
  },
})
