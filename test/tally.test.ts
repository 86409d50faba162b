import { expect, it } from 'vitest'
import type { TestModule } from 'vitest/node'
import { tallyTests } from './tally.ts'

it('counts tests by their outcome', () => {
  const modules = [
    module({ tests: ['passed', 'passed', 'failed'] }),
    module({ tests: ['passed', 'skipped'] }),
  ]
  expect(tallyTests(modules, 0)).toEqual({ passed: 3, failed: 1, skipped: 1 })
})

it('counts what broke outside the tests as failed', () => {
  expect(tallyTests([module({ errors: 1 })], 0).failed).toBe(1)
  expect(tallyTests([module({ tests: ['skipped'], suiteErrors: 1 })], 0).failed).toBe(1)
  expect(tallyTests([module({ tests: ['passed'] })], 2)).toEqual({ passed: 1, failed: 2, skipped: 0 })
})

it('counts a test that was never reached as failed', () => {
  expect(tallyTests([module({ tests: ['pending'] })], 0)).toEqual({ passed: 0, failed: 1, skipped: 0 })
})

function module(contents: { tests?: string[]; errors?: number; suiteErrors?: number }): TestModule {
  const errors = (count = 0) => Array.from({ length: count }, () => new Error('broken'))
  return {
    errors: () => errors(contents.errors),
    children: {
      allSuites: () => [{ errors: () => errors(contents.suiteErrors) }],
      allTests: () => (contents.tests ?? []).map((state) => ({ result: () => ({ state }) })),
    },
  } as unknown as TestModule
}
