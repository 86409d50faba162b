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

it('counts a test that was never reached as failed, unless a suite around it is skipped', () => {
  expect(tallyTests([module({ tests: ['pending'] })], 0)).toEqual({ passed: 0, failed: 1, skipped: 0 })
  const skipped = module({ tests: ['pending', 'pending'], suiteMode: 'skip' })
  expect(tallyTests([skipped], 0)).toEqual({ passed: 0, failed: 0, skipped: 2 })
})

interface Contents {
  tests?: string[]
  errors?: number
  suiteErrors?: number
  suiteMode?: 'run' | 'skip'
}

function module(contents: Contents): TestModule {
  const errors = (count = 0) => Array.from({ length: count }, () => new Error('broken'))
  const options = { mode: 'run' }
  const outer = { type: 'suite', options: { mode: contents.suiteMode ?? 'run' }, parent: { type: 'module' } }
  const parent = { type: 'suite', options, parent: outer }
  return {
    errors: () => errors(contents.errors),
    children: {
      allSuites: () => [{ errors: () => errors(contents.suiteErrors) }],
      allTests: () => (contents.tests ?? []).map((state) => ({ result: () => ({ state }), options, parent })),
    },
  } as unknown as TestModule
}
