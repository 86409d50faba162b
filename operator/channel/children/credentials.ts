import type { NotificationChannel } from '../../../core/resources/channel.ts'
import type { KubernetesObject } from '../../runtime/resource-kind.ts'
import { secrets } from '../../kinds.ts'
import { childLabels, childName } from '../names.ts'

export interface SecretObject extends KubernetesObject {
  /** Base64. */
  data?: Record<string, string>
  type?: string
}

/** A Secret's own name and one of its keys, as one key of the copy: neither may contain a slash, and a name has no underscore. */
const joined = (secret: string, key: string) => `${secret}__${key}`

/**
 * The copy of the Secrets that a channel's providers name, in the release's namespace: one Secret per channel. Undefined when none is named.
 * @param found the Secrets of the channel's namespace by name
 */
export function credentialsSecret(
  channel: NotificationChannel,
  found: ReadonlyMap<string, SecretObject>,
  namespace: string,
): SecretObject | undefined {
  const names = secretNames(channel)
  if (names.length === 0) return undefined
  const data = names.flatMap((name) =>
    Object.entries(found.get(name)?.data ?? {}).map(([key, value]) => [joined(name, key), value]),
  )
  return {
    apiVersion: secrets.apiVersion,
    kind: secrets.kind,
    metadata: { name: childName(channel.metadata), namespace, labels: childLabels(channel.metadata) },
    type: 'Opaque',
    data: Object.fromEntries(data) as Record<string, string>,
  }
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
