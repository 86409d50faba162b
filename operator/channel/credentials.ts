import { providerByType } from '../../core/providers/registry.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { failureCondition } from '../failure-condition.ts'
import { secrets } from '../kinds.ts'
import type { Api } from '../runtime/api/api.ts'
import { ApiError, isNotFound, isRefused } from '../runtime/api/api-error.ts'
import type { ConditionText } from '../runtime/conditions.ts'
import { type SecretObject, secretNames } from './children/credentials.ts'
import { isFalse, isTrue } from './condition-texts.ts'

export interface Credentials {
  condition: ConditionText
  /** The Secrets that were found, by name. */
  found: ReadonlyMap<string, SecretObject>
  /** Why they could not be read, where that may pass: nothing else of the channel need wait for it. */
  failure?: ApiError
}

/** Reads the Secrets that the providers of a channel name, and says whether each holds the keys that its provider needs. */
export async function resolveCredentials(
  channel: NotificationChannel,
  api: Api,
  signal: AbortSignal,
): Promise<Credentials> {
  const { namespace } = channel.metadata
  const found = new Map<string, SecretObject>()
  for (const name of secretNames(channel)) {
    try {
      found.set(name, await api.get<SecretObject>(secrets, { namespace, name }, signal))
    } catch (error) {
      if (isRefused(error)) return { condition: isFalse('SecretRefused', error.message), found: new Map() }
      if (!(error instanceof ApiError)) throw error
      if (!isNotFound(error)) return { condition: failureCondition(error), found: new Map(), failure: error }
    }
  }
  return { condition: credentialsCondition(channel, found), found }
}

function credentialsCondition(
  { spec }: NotificationChannel,
  found: ReadonlyMap<string, SecretObject>,
): ConditionText {
  for (const { name: provider, type, secretRef } of spec.providers) {
    if (secretRef === undefined) continue
    const secret = found.get(secretRef.name)
    if (secret === undefined)
      return isFalse('SecretNotFound', `provider ${provider}: there is no Secret ${secretRef.name}`)
    const needed = providerByType(type)?.secrets.filter(({ required }) => required) ?? []
    const missing = needed.find(({ key }) => !secret.data?.[key])
    if (missing !== undefined) {
      const message = `provider ${provider}: Secret ${secretRef.name} has no key "${missing.key}"`
      return isFalse('SecretKeyMissing', message)
    }
  }
  return isTrue('CredentialsReady', found.size === 0 ? 'no provider names a Secret' : 'every Secret is there')
}
