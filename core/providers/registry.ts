import { inapp } from './inapp.ts'
import type { ProviderDefinition } from './provider.ts'
import { sandbox } from './sandbox.ts'
import { smtp } from './smtp.ts'
import { webhook } from './webhook.ts'

/** Every provider there is. A new one adds its line here; CRD, validation, reference and conformance suite follow. */
export const providers: readonly ProviderDefinition[] = [smtp, webhook, inapp, sandbox]

const byType = indexByType(providers)

/** The provider of this type, if there is one. */
export function providerByType(type: string): ProviderDefinition | undefined {
  return byType.get(type)
}

/** Throws on a type that is taken, or that is no DNS label (RFC 1123), which names of fields, topics and metrics are made of. */
export function indexByType(definitions: readonly ProviderDefinition[]): Map<string, ProviderDefinition> {
  const index = new Map<string, ProviderDefinition>()
  for (const definition of definitions) {
    if (!/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/.test(definition.type)) {
      throw new Error(`provider type ${JSON.stringify(definition.type)} is not a DNS label`)
    }
    if (index.has(definition.type)) throw new Error(`two providers have the type ${definition.type}`)
    index.set(definition.type, definition)
  }
  return index
}
