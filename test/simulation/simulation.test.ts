import { afterAll, describe, expect, it } from 'vitest'
import { scenarios } from './scenarios.ts'
import { runAll } from './simulate.ts'

/**
 * The delivery engine on a world in memory: every scenario once undisturbed, and then with the process that makes the
 * nth port call killed, or frozen for longer than its lease, before and after the effect of that call, for every n.
 * `CARILLON_SIMULATION_SEED` names another order of events.
 */
const seed = Number(process.env['CARILLON_SIMULATION_SEED'] ?? 1)

describe.each(['crash', 'freeze'] as const)('a %s at every port call', (kind) => {
  const table: Record<string, unknown>[] = []
  afterAll(() => console.table(table))

  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    { timeout: 600_000 },
    async (name, scenario) => {
      const row = { scenario: name, calls: 0, runs: 0, duplicates: 0 }
      const failures: string[] = []
      for await (const { what, calls, problems, duplicates } of runAll({ scenario, seed }, kind)) {
        if (row.runs === 0) row.calls = calls.length
        row.runs++
        row.duplicates += duplicates
        failures.push(...problems.map((problem) => `${what}: ${problem}`))
      }
      table.push(row)
      expect(failures).toEqual([])
      expect(row.runs).toBe(1 + 2 * row.calls)
    },
  )
})
