import { expect, it } from 'vitest'
import { Api } from '../runtime/api/api.ts'
import type { ApiRequest, Requests } from '../runtime/api/connection.ts'
import type { KubernetesObject, ResourceKind } from '../runtime/api/resource-kind.ts'
import { DryRunConnection } from './connection.ts'

const secrets: ResourceKind = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true }
const secret = (data: object, version = '1') => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'smtp', namespace: 'shop', resourceVersion: version },
  data,
})

/** An API server that has one Secret, or none, and notes what it is asked. */
function apiWith(live: KubernetesObject | undefined) {
  const asked: string[] = []
  const lines: string[] = []
  const statuses: unknown[] = []
  const requests: Pick<Requests, 'ask'> = {
    ask: async <T>({ method, path, body }: ApiRequest) => {
      asked.push(`${method} ${path}`)
      if (method !== 'GET') return { ...(body as object) } as T
      // A list leaves the kind of its items out.
      const { apiVersion: _version, kind: _kind, ...item } = live ?? { apiVersion: '', kind: '' }
      return { kind: 'SecretList', items: live ? [item] : [] } as T
    },
  }
  const connection = new DryRunConnection(requests as Requests, {
    say: (line) => lines.push(line),
    status: ({ status }) => statuses.push(status),
  })
  return { api: new Api(connection), asked, lines, statuses }
}
const ours = { fieldManager: 'test' }

it('asks for nothing to be kept, and says what would be made, changed and deleted', async () => {
  const empty = apiWith(undefined)
  await empty.api.apply(secrets, secret({ password: 'x' }), ours)
  expect(empty.lines).toEqual(['Secret shop/smtp created'])
  expect(empty.asked.filter((line) => !line.startsWith('GET'))).toEqual([
    expect.stringMatching(/^PATCH .*[?&]dryRun=All/),
  ])

  const full = apiWith(secret({ password: 'before', username: 'shop' }))
  await full.api.apply(secrets, secret({ password: 'after', username: 'shop' }, '2'), ours)
  await full.api.delete(secrets, { namespace: 'shop', name: 'smtp' })
  // Paths, not values: some are secret.
  expect(full.lines).toEqual(['Secret shop/smtp configured: data.password', 'Secret shop/smtp deleted'])
})

it('says nothing of what stays as it is', async () => {
  const { api, lines } = apiWith(secret({ password: 'x' }))
  await api.apply(secrets, secret({ password: 'x' }, '2'), ours)
  expect(lines).toEqual([])
})

it('hands a status on, and has neither that nor an Event nor a scale written', async () => {
  const { api, asked, lines, statuses } = apiWith(undefined)
  const name = { namespace: 'shop', name: 'smtp' }
  const status = { ...secret({}), status: { conditions: [] } }
  await api.apply(secrets, status, { ...ours, subresource: 'status' })
  await api.create({ ...secrets, plural: 'events' }, { ...secret({}), kind: 'Event' })
  await api.merge(secrets, { ...name, subresource: 'scale' }, { spec: { replicas: 3 } }, ours)
  expect(statuses).toEqual([{ conditions: [] }])
  expect([...asked, ...lines]).toEqual([])
})
