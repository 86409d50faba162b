import { providerByType } from '../../core/providers/registry.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { failureCondition } from '../failure-condition.ts'
import { secrets } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import { ApiError, isNotFound, isRefused } from '../runtime/api/api-error.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import { holdsKey, type SecretObject, secretNames } from './children/credentials.ts'
import { isFalse, isTrue } from './condition-texts.ts'

export interface Credentials {
  condition: ConditionText
  /** The Secrets that were found, by name. */
  found: ReadonlyMap<string, SecretObject>
  /** Why they could not be read, where that may pass: nothing else of the channel need wait for it. */
  failure?: ApiError
}

/**
 * Reads the Secrets that the providers of a channel name, and says whether each holds the keys that its provider needs; if not, what that means
 * for the workers.
 * @param copy what the workers were given before
 */
export async function resolveCredentials(
  channel: NotificationChannel,
  { api, copy }: { api: Pick<Api, 'get'>; copy: SecretObject | undefined },
  signal: AbortSignal,
): Promise<Credentials> {
  const { namespace } = channel.metadata
  const found = new Map<string, SecretObject>()
  for (const name of secretNames(channel)) {
    try {
      found.set(name, await api.get<SecretObject>(secrets, { namespace, name }, signal))
    } catch (error) {
      if (isRefused(error)) {
        const message = `Secret ${namespace}/${name} cannot be read (${error.message}): ${consequence(copy, name)}`
        return { condition: isFalse('SecretRefused', message), found: new Map() }
      }
      if (!(error instanceof ApiError)) throw error
      if (!isNotFound(error)) return { condition: failureCondition(error), found: new Map(), failure: error }
    }
  }
  return { condition: credentialsCondition(channel, found, copy), found }
}

function credentialsCondition(
  { metadata: { namespace }, spec }: NotificationChannel,
  found: ReadonlyMap<string, SecretObject>,
  copy: SecretObject | undefined,
): ConditionText {
  for (const { name: provider, type, secretRef } of spec.providers) {
    if (secretRef === undefined) continue
    const { name } = secretRef
    const secret = found.get(name)
    if (secret === undefined) {
      const message = `provider ${provider}: there is no Secret ${namespace}/${name}: ${consequence(copy, name)}`
      return isFalse('SecretNotFound', message)
    }
    const needed = providerByType(type)?.secrets.filter(({ required }) => required) ?? []
    const missing = needed.find(({ key }) => !secret.data?.[key])
    if (missing !== undefined) {
      const { key } = missing
      const message = `provider ${provider}: Secret ${namespace}/${name} has no key "${key}": ${consequence(copy, name, key)}`
      return isFalse('SecretKeyMissing', message)
    }
  }
  return isTrue('CredentialsReady', found.size === 0 ? 'no provider names a Secret' : 'every Secret is there')
}

/** What that means for the workers. */
function consequence(copy: SecretObject | undefined, secret: string, key?: string): string {
  if (copy === undefined) return 'no worker can start without it'
  return holdsKey(copy, secret, key)
    ? 'the workers go on with the copy that they were given before'
    : 'nothing can be sent through this provider without it'
}
