import { expect, it } from 'vitest'
import { encodeRequest, type RequestEnvelope } from '../../core/notification/envelope.ts'
import { deriveInstallKeys, newNotificationId, recordKey } from '../../core/notification/ids.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import type { DeliveryRecord } from './outlet.ts'
import { planBatch } from './plan-batch.ts'

const keys = deriveInstallKeys(Buffer.alloc(32, 7))
const request: RequestEnvelope = {
  id: newNotificationId(0, Buffer.alloc(10)),
  body_hash: '0'.repeat(64),
  tenant: 'default',
  to: [{ email: 'Ada@Example.com' }, { email: 'bob@example.com' }],
  channels: ['email'],
  content: { subject: 'Hi', text: 'Hello' },
  data: {},
  metadata: {},
  accepted_at: '2026-01-01T00:00:00.000Z',
}

it('keys the record of a delivery by a hash of tenant and recipient, and shows no address outside its value', async () => {
  const written: DeliveryRecord[] = []
  const record = {
    topic: 'p.requests',
    partition: 0,
    offset: 0,
    timestamp: 0,
    key: 'k',
    ...encodeRequest(request),
  }
  const { told } = await planBatch(
    {
      outlet: { write: async (chunks) => void written.push(...[...chunks].flat()) },
      store: { users: async () => new Map(), record: async (planned: object) => planned } as never,
      catalog: staticCatalog({ channels: { email: 'email' } }),
      keys,
      prefix: 'p',
      clock: { now: () => 0 },
      events: { publish: async () => {} },
    },
    [{ record, request }],
  )
  await told
  const [ada, bob] = ['email:Ada@example.com', 'email:bob@example.com'].map((recipient) =>
    recordKey(keys, 'default', recipient),
  )
  expect(written.map(({ topic, key }) => [topic, key])).toEqual([
    ['p.default.email', ada],
    ['p.default.email', bob],
  ])
  const outside = written.map(({ value: _value, ...rest }) => rest)
  expect(JSON.stringify(outside)).not.toMatch(/ada|bob|example\.com/i)
})
