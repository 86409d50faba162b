import { Registry } from 'prom-client'
import type { ConsumedRecord } from '../../../core/broker/broker.ts'
import type { Catalog } from '../../../core/catalog/catalog.ts'
import { encodeDelivery } from '../../../core/notification/envelope.ts'
import { channelTopics } from '../../../core/notification/topics.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import type { Provider } from '../../../core/providers/provider.ts'
import type { NotificationChannel } from '../../../core/resources/channel.ts'
import type { Ledger } from '../../../workers/delivery/ledger/ledger.ts'
import { createDeliveryMetrics } from '../../../workers/delivery/metrics.ts'
import { startDeliveryWorker } from '../../../workers/delivery/worker.ts'
import { createSourceMetrics } from '../../../workers/source-metrics.ts'
import { numberedId } from '../ledger-rows.ts'
import { manualClock } from './manual-clock.ts'
import { renderOnLoop } from './render-on-loop.ts'
import { scriptedBroker } from './scripted-broker.ts'

/** Id of the delivery at an offset. */
export const deliveryAt = (offset: number) => numberedId(offset)

interface Script {
  channel: NotificationChannel
  catalog: Catalog
  ledger: Pick<Ledger, 'claim' | 'finish'>
  send: Provider['send']
  /** Calls that the provider takes at a time. */
  maxConcurrent: number
}

/** A worker of a channel for SMS, whose broker, ledger, provider and clock do what the test says. It has partition 0 of its main topic. */
export async function startScriptedWorker({ channel, catalog, ledger, send, maxConcurrent }: Script) {
  const topics = channelTopics('p', channel.metadata, '', channel.spec.delivery.retryTiers)
  const clock = manualClock()
  const { broker, consumers, committed } = scriptedBroker()
  const worker = await startDeliveryWorker({
    channel,
    broker,
    catalog,
    templates: renderOnLoop(),
    ledger: { ...ledger, giveUp: async () => true, hold: async () => {}, restore: async () => {} },
    providers: [
      {
        name: 'primary',
        timeout: 60_000,
        maxConcurrent,
        idempotency: 'none',
        provider: { send, close: async () => {} },
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

  function recordAt(offset: number): ConsumedRecord {
    const id = deliveryAt(offset)
    const encoded = encodeDelivery({
      id,
      notification_id: id,
      notification: 'ntf_1',
      tenant: channel.metadata.namespace,
      channel: channel.metadata.name,
      channel_type: 'sms',
      recipient: 'phone:+15550100',
      address: '+15550100',
      content: { text: 'Hello' },
      data: {},
      metadata: {},
      accepted_at: '2026-01-01T00:00:00.000Z',
    })
    return { ...partition, offset, key: `k${offset}`, timestamp: 0, ...encoded }
  }

  return {
    worker,
    clock,
    main,
    committed,
    partition,
    /** Brings the records at these offsets. */
    bring(...offsets: number[]): void {
      main.onRecords({ ...partition, epoch: 1, records: offsets.map(recordAt) })
    },
  }
}
