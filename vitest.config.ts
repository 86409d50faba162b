import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { SlowFirst } from './test/slow-first.ts'

// A run starts hundreds of our processes: with what Node keeps of compiled modules each takes half the time to start (measured).
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(new URL('node_modules/.cache/node', import.meta.url))

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '.carillon/**'],
    passWithNoTests: false,
    allowOnly: false,
    // Most tests wait for processes that they have started: to keep a processor free for vitest itself would waste it.
    maxWorkers: '100%',
    sequence: { sequencer: SlowFirst },
    // Limits are there to end what hangs. They judge no speed: machines are slow, and busy with other things beside the tests.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    globalSetup: ['test/harness/postgres/postgres-server.ts'],
  },
})
