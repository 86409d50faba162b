import { expect, it } from 'vitest'
import { channelResource } from '../../../test/harness/fakes/resources.ts'
import { credentialsItems, credentialsSecret, type SecretObject } from './credentials.ts'

const smtp = { host: 'smtp.example.com', from: 'shop@example.com' }
const channel = (...secretNames: (string | undefined)[]) =>
  channelResource(
    { name: 'email', namespace: 'shop' },
    {
      type: 'email',
      providers: secretNames.map((name, index) => ({
        name: `p${index}`,
        type: 'smtp',
        smtp,
        ...(name && { secretRef: { name } }),
      })),
    },
  )
const secret = (name: string, data: Record<string, string>): [string, SecretObject] => [
  name,
  { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'shop' }, data },
]

it('copies what the providers ask for, and nothing else of the Secrets that they name', () => {
  const found = new Map([
    secret('one', { username: 'dQ==', password: 'cA==', 'tls.key': 'c2VjcmV0' }),
    secret('two.b', { username: 'dg==' }),
  ])
  const copy = credentialsSecret(channel('one', 'two.b', 'one'), found, 'carillon-system')!
  expect(copy.data).toEqual({ one__username: 'dQ==', one__password: 'cA==', 'two.b__username': 'dg==' })
  expect(copy.metadata.namespace).toBe('carillon-system')
  expect(credentialsItems(copy)).toEqual([
    { key: 'one__password', path: 'one/password' },
    { key: 'one__username', path: 'one/username' },
    { key: 'two.b__username', path: 'two.b/username' },
  ])
})

it('makes none where no provider names a Secret', () => {
  expect(credentialsSecret(channel(undefined), new Map(), 'carillon-system')).toBeUndefined()
})
