import { expect, it } from 'vitest'
import { channelResource } from '../../test/harness/fakes/resources.ts'
import { ApiError } from '../runtime/api/api-error.ts'
import type { KubernetesObject } from '../runtime/api/resource-kind.ts'
import type { SecretObject } from './children/credentials.ts'
import { resolveCredentials } from './credentials.ts'

const { signal } = new AbortController()
const channel = channelResource(
  { name: 'hooks', namespace: 'shop' },
  { type: 'webhook', providers: [{ name: 'a', type: 'webhook', webhook: {}, secretRef: { name: 's' } }] },
)
const secret = (data: Record<string, string>): SecretObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'shop' },
  data,
})
/** What the condition says of a Secret that is so, or that the API server answers so of. */
async function told(found: SecretObject | ApiError, copy?: SecretObject): Promise<string> {
  const api = {
    async get<T extends KubernetesObject>(): Promise<T> {
      if (found instanceof ApiError) throw found
      return found as KubernetesObject as T
    },
  }
  const { condition } = await resolveCredentials(channel, { api, copy }, signal)
  return `${condition.reason} ${condition.message}`
}

const missing = new ApiError(404, 'NotFound', 'secrets "s" not found')
const forbidden = new ApiError(403, 'Forbidden', 'secrets "s" is forbidden')
const none = 'no worker can start without it'
const given = 'the workers go on with the copy that they were given before'
const another = 'nothing can be sent through this provider without it'

it.each<[string, SecretObject | ApiError, Record<string, string> | undefined, string]>([
  ['is not there', missing, undefined, `SecretNotFound provider a: there is no Secret shop/s: ${none}`],
  [
    'is gone',
    missing,
    { s__secret: 'cw==' },
    `SecretNotFound provider a: there is no Secret shop/s: ${given}`,
  ],
  [
    'is another than before, and not there',
    missing,
    { former__secret: 'cw==' },
    `SecretNotFound provider a: there is no Secret shop/s: ${another}`,
  ],
  [
    'lacks a key',
    secret({}),
    undefined,
    `SecretKeyMissing provider a: Secret shop/s has no key "secret": ${none}`,
  ],
  [
    'has lost a key',
    secret({ secret: '' }),
    { s__secret: 'cw==' },
    `SecretKeyMissing provider a: Secret shop/s has no key "secret": ${given}`,
  ],
  [
    'may no longer be read',
    forbidden,
    { s__secret: 'cw==' },
    `SecretRefused Secret shop/s cannot be read (secrets "s" is forbidden): ${given}`,
  ],
  ['is as it should be', secret({ secret: 'cw==' }), undefined, 'CredentialsReady every Secret is there'],
])('says what it means for the workers that a Secret %s', async (_what, found, data, message) => {
  expect(await told(found, data && secret(data))).toBe(message)
})
