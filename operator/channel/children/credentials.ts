import { providerByType } from '../../../core/providers/registry.ts'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import { secrets } from '../../kinds.ts'
import type { KubernetesObject } from '../../runtime/api/resource-kind.ts'
import { childLabels, childName } from '../names.ts'

export interface SecretObject extends KubernetesObject {
  /** Base64. */
  data?: Record<string, string>
  type?: string
}

/** A Secret's own name and one of its keys, as one key of the copy: neither may contain a slash, and a name has no underscore. */
const joined = (secret: string, key: string) => `${secret}__${key}`

/**
 * The copy of what a channel's providers need of the Secrets that they name, in the release's namespace: one Secret per channel, and no key that a
 * provider does not ask for. Undefined when none is named.
 * @param found the Secrets of the channel's namespace by name
 */
export function credentialsSecret(
  channel: NotificationChannel,
  found: ReadonlyMap<string, SecretObject>,
  namespace: string,
): SecretObject | undefined {
  if (secretNames(channel).length === 0) return undefined
  const data = channel.spec.providers.flatMap(({ type, secretRef }) => {
    const secret = secretRef && found.get(secretRef.name)
    const keys = providerByType(type)?.secrets.map(({ key }) => key) ?? []
    return keys.flatMap((key) => {
      const value = secret?.data?.[key]
      return value === undefined ? [] : [[joined(secretRef!.name, key), value] as const]
    })
  })
  return {
    apiVersion: secrets.apiVersion,
    kind: secrets.kind,
    metadata: { name: childName(channel.metadata), namespace, labels: childLabels(channel.metadata) },
    type: 'Opaque',
    data: Object.fromEntries(data),
  }
}

/** Whether a copy has a key of a Secret, or any key of it. */
export function holdsKey({ data = {} }: SecretObject, secret: string, key?: string): boolean {
  return key === undefined
    ? Object.keys(data).some((each) => each.startsWith(joined(secret, '')))
    : joined(secret, key) in data
}

/** Where each key of the copy stands in the folder that `secretRef` reads: `<secret>/<key>`. */
export function credentialsItems(secret: SecretObject): { key: string; path: string }[] {
  return Object.keys(secret.data ?? {})
    .toSorted()
    .map((key) => {
      const [name, ...rest] = key.split('__')
      return { key, path: `${name}/${rest.join('__')}` }
    })
}

/** The Secrets that the providers of a channel name, each once. */
export function secretNames({ spec }: NotificationChannel): string[] {
  const names = spec.providers.flatMap(({ secretRef }) => (secretRef === undefined ? [] : [secretRef.name]))
  return [...new Set(names)].toSorted()
}
