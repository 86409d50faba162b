import type { TestCase, TestModule, TestSuite } from 'vitest/node'

export interface Tally {
  passed: number
  failed: number
  skipped: number
}

export function add(a: Tally, b: Tally): Tally {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

/**
 * Counts what vitest ran. Beside each failed test, each file or suite that broke outside its tests (an import, a
 * hook) and each error that nobody handled is one failure: the tests behind it count as skipped at most.
 * A test that vitest never got to is a failure too, unless a suite around it is skipped.
 */
export function tallyTests(modules: readonly TestModule[], unhandledErrors: number): Tally {
  const tally: Tally = { passed: 0, failed: unhandledErrors, skipped: 0 }
  for (const module of modules) {
    if (module.errors().length > 0) tally.failed += 1
    for (const suite of module.children.allSuites()) {
      if (suite.errors().length > 0) tally.failed += 1
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      // Of a skipped suite within a skipped suite vitest tells no results.
      tally[state === 'pending' ? (isSkipped(test) ? 'skipped' : 'failed') : state] += 1
    }
  }
  return tally
}

function isSkipped(test: TestCase | TestSuite): boolean {
  return test.options.mode === 'skip' || (test.parent.type === 'suite' && isSkipped(test.parent))
}
