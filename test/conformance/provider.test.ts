import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { providers } from '../../core/providers/registry.ts'
import { describeProvider, type ProviderFixture } from './provider.ts'

for (const definition of providers) {
  const file = new URL(`./providers/${definition.type}.ts`, import.meta.url)
  if (existsSync(file)) {
    const { fixture } = (await import(`./providers/${definition.type}.ts`)) as { fixture: ProviderFixture }
    describeProvider(definition, fixture)
  } else {
    test(definition.type, () => expect.fail(`there is no test/conformance/providers/${definition.type}.ts`))
  }
}
