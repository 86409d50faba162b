import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '.carillon/**'],
    passWithNoTests: false,
    allowOnly: false,
    globalSetup: ['test/harness/postgres-server.ts'],
  },
})
