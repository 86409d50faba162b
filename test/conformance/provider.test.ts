import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { providers } from '../../core/providers/registry.ts'
import { describeProvider, type ProviderFixture } from './provider.ts'

const hasFixture = ({ type }: { type: string }) =>
  existsSync(new URL(`./providers/${type}.ts`, import.meta.url))

test('every provider has a fixture in test/conformance/providers', () => {
  expect(providers.filter((definition) => !hasFixture(definition)).map(({ type }) => type)).toEqual([])
})

for (const definition of providers.filter(hasFixture)) {
  const { fixture } = (await import(`./providers/${definition.type}.ts`)) as { fixture: ProviderFixture }
  describeProvider(definition, fixture)
}
