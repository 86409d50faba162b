import { setImmediate as turn } from 'node:timers/promises'
import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import type { ConsumedRecord } from '../../core/broker/broker.ts'
import { encodeDelivery } from '../../core/notification/envelope.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import { createLogger } from '../../core/observability/logger.ts'
import { manualClock } from '../../test/harness/fakes/manual-clock.ts'
import { renderOnLoop } from '../../test/harness/fakes/render-on-loop.ts'
import { scriptedBroker } from '../../test/harness/fakes/scripted-broker.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { createSourceMetrics } from '../source-metrics.ts'
import { createDeliveryMetrics } from './metrics.ts'
import { startDeliveryWorker } from './worker.ts'

const catalog = staticCatalog({ channels: { sms: 'sms' } })
const channel = catalog.channel('default', 'sms')!.resource
const topics = channelTopics('p', channel.metadata, '', channel.spec.delivery.retryTiers)

function recordAt(offset: number): ConsumedRecord {
  const id = `00000000-0000-8000-8000-${String(offset).padStart(12, '0')}`
  const encoded = encodeDelivery({
    id,
    notification_id: id,
    notification: 'ntf_1',
    tenant: 'default',
    channel: 'sms',
    channel_type: 'sms',
    recipient: 'phone:+15550100',
    address: '+15550100',
    content: { text: 'Hello' },
    data: {},
    metadata: {},
    accepted_at: '2026-01-01T00:00:00.000Z',
  })
  return { topic: topics.main, partition: 0, offset, key: `k${offset}`, timestamp: 0, ...encoded }
}

it('a drain waits ten seconds for a store that is away, then leaves what was sent uncommitted to another worker', async () => {
  const clock = manualClock()
  const { broker, consumers, committed } = scriptedBroker()
  let sends = 0
  let refusals = 0
  let away = false
  const worker = await startDeliveryWorker({
    channel,
    broker,
    catalog,
    templates: renderOnLoop(),
    ledger: {
      claim: async () => ({ kind: 'claimed', claim: 1, uncounted: 0 }),
      finish: async () => {
        if (!away) return 'recorded'
        refusals++
        throw new Error('the store is away')
      },
      giveUp: async () => false,
      restore: async () => {},
    },
    providers: [
      {
        name: 'primary',
        timeout: 10_000,
        maxConcurrent: 10,
        idempotency: 'none',
        provider: {
          send: async () => {
            sends++
            return { class: 'sent' }
          },
          close: async () => {},
        },
      },
    ],
    prefix: 'p',
    clock,
    logger: createLogger({ level: 'ERROR', destination: { write: () => {} } }),
    metrics: createDeliveryMetrics(new Registry()),
    sourceMetrics: createSourceMetrics(new Registry()),
  })
  const main = consumers.get(topics.group)!
  const partition = { topic: topics.main, partition: 0 }
  main.onAssigned({ epoch: 1, partitions: [partition] })
  main.onRecords({ ...partition, epoch: 1, records: [recordAt(0)] })
  await expect.poll(() => sends).toBe(1)
  away = true
  main.onRecords({ ...partition, epoch: 1, records: [recordAt(1)] })
  await expect.poll(() => refusals).toBe(1)

  let stopped = false
  const stopping = worker.stop().then(() => (stopped = true))
  for (let second = 0; second < 9; second++) {
    clock.advance(1_000)
    await turn()
  }
  expect(stopped).toBe(false)
  expect(refusals).toBeGreaterThan(1)
  clock.advance(1_000)
  await stopping
  expect(sends).toBe(2)
  expect(committed).toEqual([{ ...partition, offset: 1 }])
})
