import { expect, it } from 'vitest'
import type { ConsumedRecord } from '../../core/broker/broker.ts'
import { encodeDelivery, header } from '../../core/notification/envelope.ts'
import type { DeadLetterFilter } from '../../core/notification/replay.ts'
import type { ReplayableDelivery } from '../../core/store/dead-letters.ts'
import { numberedId } from '../../test/harness/ledger-rows.ts'
import { selectRecords } from './select.ts'

function deadLetter(number: number, headers: Record<string, string> = {}): ConsumedRecord {
  const encoded = encodeDelivery({
    id: numberedId(number),
    notification_id: numberedId(0),
    notification: 'ntf_x',
    tenant: 'shop',
    channel: 'sms',
    channel_type: 'sms',
    recipient: 'phone:+15550100',
    address: '+15550100',
    data: {},
    metadata: {},
    accepted_at: '2026-11-30T09:00:00.000Z',
  })
  return {
    topic: 'p.shop.sms.dlq',
    partition: 0,
    offset: number,
    key: `key-${number}`,
    timestamp: 0,
    value: encoded.value,
    headers: { ...encoded.headers, [header.reason]: 'retries_exhausted', ...headers },
  }
}

const unreadable: ConsumedRecord = { ...deadLetter(9), value: Buffer.from('not json') }

async function select(
  records: readonly ConsumedRecord[],
  deliveries: Record<number, Partial<ReplayableDelivery>>,
  filter: DeadLetterFilter = {},
) {
  const known = Object.entries(deliveries).map(
    ([number, delivery]) =>
      [numberedId(Number(number)), { replayEpoch: 0, expired: false, ...delivery }] as const,
  )
  return selectRecords(records, {
    filter,
    mainTopic: (topic) => topic.replace(/\.dlq$/, ''),
    find: async (ids) => new Map(known.filter(([id]) => ids.includes(id))),
  })
}

it('makes a first attempt of the next replay epoch, with the same key, bytes and trace', async () => {
  const record = deadLetter(7, {
    [header.attempt]: '8',
    [header.replayEpoch]: '2',
    [header.due]: '123',
    [header.traceparent]: '00-x',
  })
  const { records, replayed } = await select([record], { 7: { replayEpoch: 2 } })
  expect(records).toMatchObject([{ topic: 'p.shop.sms', key: 'key-7', value: record.value }])
  expect(records[0]!.headers).toMatchObject({
    [header.attempt]: '1',
    [header.replayEpoch]: '3',
    [header.origin]: 'p.shop.sms.dlq/0/7',
    [header.traceparent]: '00-x',
    ce_id: numberedId(7),
  })
  expect(records[0]!.headers).not.toHaveProperty(header.due)
  expect(records[0]!.headers).not.toHaveProperty(header.reason)
  expect(replayed).toEqual([{ id: numberedId(7), replayEpoch: 3 }])
})

it('passes over what is no dead letter any more, and the older of two of one delivery', async () => {
  const old = deadLetter(1)
  const newer = { ...deadLetter(1, { [header.replayEpoch]: '1' }), offset: 50 }
  expect((await select([old], {})).records).toEqual([])
  expect((await select([old], { 1: { replayEpoch: 1 } })).records).toEqual([])
  expect((await select([old, newer], { 1: { replayEpoch: 1 } })).replayed).toEqual([
    { id: numberedId(1), replayEpoch: 2 },
  ])
})

it('writes one record for a dead letter that is there twice', async () => {
  expect((await select([deadLetter(1), deadLetter(1)], { 1: {} })).records).toHaveLength(1)
})

it('counts what has expired and what nobody can read, the latter where it may have been meant', async () => {
  const badEpoch = deadLetter(2, { [header.replayEpoch]: 'x' })
  const { records, skipped } = await select([deadLetter(1), unreadable, badEpoch], {
    1: { expired: true },
    2: {},
  })
  expect(records).toEqual([])
  expect(skipped).toEqual({ expired: 1, unreadable: 2 })
  const of = async (filter: DeadLetterFilter) => (await select([unreadable], {}, filter)).skipped
  expect(await of({ channels: ['sms'], reasons: ['poison'] })).toEqual({ unreadable: 1 })
  expect(await of({ reasons: ['retries_exhausted'] })).toEqual({})
  expect(await of({ templates: ['welcome'] })).toEqual({})
})

it('counts what was too large to be kept whole, and replays none of it', async () => {
  const dropped = { ...deadLetter(1, { [header.payload]: 'dropped' }), value: null }
  const { records, skipped } = await select(
    [dropped, { ...dropped, headers: { ...dropped.headers, ce_id: 'x' } }],
    { 1: {} },
  )
  expect(records).toEqual([])
  expect(skipped).toEqual({ too_large: 1, unreadable: 1 })
})
