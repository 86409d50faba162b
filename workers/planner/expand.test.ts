import { describe, expect, it } from 'vitest'
import type { CatalogEntry } from '../../core/catalog/catalog.ts'
import type { RequestEnvelope } from '../../core/notification/envelope.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { UserProfile } from '../../core/notification/user-profile.ts'
import { expand } from './expand.ts'

const types: Record<string, NotificationChannel['spec']['type']> = {
  email: 'email',
  push: 'push',
  bells: 'inapp',
  hooks: 'webhook',
}

function channel(_namespace: string, name: string): CatalogEntry<NotificationChannel> | undefined {
  const type = types[name]
  if (type === undefined) return undefined
  const spec = {
    type,
    delivery: { expiresAfter: '72h' },
    topic: { name: name === 'hooks' ? 'legacy-hooks' : '' },
  }
  return { revision: '1', resource: { metadata: { namespace: 'shop', name }, spec } as NotificationChannel }
}

const ada: UserProfile = {
  name: 'Ada',
  email: 'ada@example.com',
  device_tokens: ['t1', 't2'],
  locale: 'de',
  attributes: { tier: 'gold', name: 'hidden' },
}
const users = new Map([['ada', ada]])

const request: RequestEnvelope = {
  id: '00000000-0000-7000-8000-000000000001',
  body_hash: '0'.repeat(64),
  tenant: 'shop',
  to: [{ user_id: 'ada' }],
  channels: ['email'],
  data: { order: 1 },
  metadata: {},
  accepted_at: '2026-01-01T00:00:00.000Z',
}
const run = (change: Partial<RequestEnvelope>, now = '2026-01-01T00:00:00.000Z') =>
  expand({ ...request, ...change }, { prefix: 'p', publicId: 'ntf_1', channel, users, now: Date.parse(now) })

describe('expand', () => {
  it('sends nothing whose time is over when it is planned', () => {
    const late = '2026-01-04T00:00:00.000Z'
    expect(run({}, late)).toMatchObject([{ expiresAt: late, result: { kind: 'skip', status: 'expired' } }])
    const inTime = run({}, '2026-01-03T23:59:59.999Z')
    expect(inTime).toMatchObject([{ expiresAt: late, result: { kind: 'send' } }])
  })

  it('sends a user on each channel that they have an address for, one delivery per device', () => {
    const planned = run({ channels: ['email', 'push', 'bells'] })
    expect(
      planned.map(({ channel: name, recipient, result }) => [
        name,
        recipient,
        result.kind === 'send' && result.envelope.address,
      ]),
    ).toEqual([
      ['email', 'user:ada', 'ada@example.com'],
      ['push', 'user:ada/device:t1', 't1'],
      ['push', 'user:ada/device:t2', 't2'],
      ['bells', 'user:ada', 'ada'],
    ])
    expect(planned.every(({ userId }) => userId === 'ada')).toBe(true)
  })

  it('names a channel on which the user has no address', () => {
    expect(run({ channels: ['hooks'] })).toMatchObject([
      { result: { kind: 'skip', status: 'skipped', reason: 'no_address' } },
    ])
    expect(run({ to: [{ user_id: 'stranger' }], channels: ['push'] })).toMatchObject([
      { recipient: 'user:stranger', result: { reason: 'no_address' } },
    ])
  })

  it('uses an address only on channels of its kind', () => {
    const planned = run({
      to: [{ email: 'Bob@Example.COM' }, { webhook_url: 'https://example.com/x' }],
      channels: ['email', 'hooks', 'bells'],
    })
    expect(planned.map(({ channel: name, recipient }) => [name, recipient])).toEqual([
      ['email', 'email:Bob@example.com'],
      ['hooks', 'webhook_url:https://example.com/x'],
    ])
    expect(planned.map(({ result }) => result.kind === 'send' && result.topic)).toEqual([
      'p.shop.email',
      'legacy-hooks',
    ])
  })

  it('merges a recipient who is named twice', () => {
    expect(run({ to: [{ user_id: 'ada' }, { user_id: 'ada' }] })).toHaveLength(1)
  })

  it('fails what goes to a channel that is gone', () => {
    expect(run({ channels: ['fax'] })).toMatchObject([
      { result: { status: 'failed', reason: 'channel_deleted' } },
    ])
  })

  it('gives the same ids for the same request, whatever the profile says by then', () => {
    const before = run({}).map(({ id }) => id)
    users.set('ada', { ...ada, email: 'new@example.com' })
    expect(run({}).map(({ id }) => id)).toEqual(before)
    users.set('ada', ada)
  })

  it('expires with the channel or with the request, whichever is first', () => {
    expect(run({})[0]!.expiresAt).toBe('2026-01-04T00:00:00.000Z')
    expect(run({ expires_at: '2026-01-02T00:00:00Z' })[0]!.expiresAt).toBe('2026-01-02T00:00:00Z')
  })

  it('shows templates the person but not the addresses of other channels', () => {
    const [planned] = run({ channels: ['bells'] })
    expect(planned!.result).toMatchObject({
      envelope: { user: { id: 'ada', name: 'Ada', email: 'ada@example.com', locale: 'de', tier: 'gold' } },
    })
    expect(JSON.stringify(planned!.result)).not.toContain('t1')
  })
})
