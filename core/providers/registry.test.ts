import { expect, test } from 'vitest'
import { indexByType, providerByType, providers } from './registry.ts'
import { sandbox } from './sandbox.ts'

// Types are written in manifests, metrics and ledgers: they never change, and none is ever taken away in silence.
test('types', () =>
  expect(providers.map(({ type }) => type)).toEqual(['smtp', 'webhook', 'inapp', 'sandbox']))

test('finds a provider by its type', () => {
  expect(providerByType('sandbox')).toBe(sandbox)
  expect(providerByType('toString')).toBeUndefined()
})

test('refuses a type that is taken', () => {
  expect(() => indexByType([sandbox, sandbox])).toThrow('two providers have the type sandbox')
})

test.each(['', 'a', 'Smtp', 'in app', '-x', 'x-', '9x', 'a.b', 'x'.repeat(64)])(
  'refuses the type %j',
  (type) => {
    expect(() => indexByType([{ ...sandbox, type }])).toThrow('not a DNS label')
  },
)
