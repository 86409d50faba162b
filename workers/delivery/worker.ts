import type { Kysely } from 'kysely'
import type { Broker, ConsumedRecord } from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import type { Clock } from '../../core/clock.ts'
import { header, numberHeader } from '../../core/notification/envelope.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { parseDuration } from '../../core/resources/duration.ts'
import type { Database } from '../../core/store/schema.ts'
import type { Running } from '../running.ts'
import type { SourceMetrics } from '../source-metrics.ts'
import { Source, type Work as Handle } from '../source.ts'
import { createDeliver } from './deliver.ts'
import { Dispatcher } from './dispatcher.ts'
import { DueQueue } from './due-queue.ts'
import { createFollowUps } from './follow-ups.ts'
import { openLedger } from './ledger.ts'
import type { DeliveryMetrics } from './metrics.ts'
import { type OpenProvidersOptions, openProviders, weakestIdempotency } from './providers.ts'
import { createRender, knowsTemplate } from './render.ts'
import { createSend } from './send.ts'
import { readWork } from './work.ts'

export interface DeliveryWorkerOptions extends OpenProvidersOptions {
  channel: NotificationChannel
  broker: Broker
  /** For the templates that deliveries name. */
  catalog: Catalog
  db: Kysely<Database>
  /** Prefix of the install's topics. */
  prefix: string
  /** Names this worker in the ledger: unique among all that ever ran. */
  workerId: string
  clock: Clock
  logger: Logger
  metrics: DeliveryMetrics
  sourceMetrics: SourceMetrics
}

/** Of one partition: beyond this it is paused, and this much is read again at the worst after a crash. */
const bounds = { records: 5_000, bytes: 16 * 1024 * 1024 }
/** Beyond the providers' time-outs a lease covers rendering, the ledger's round trips and a pause of the process. */
const leaseMargin = 5_000
/** Milliseconds that a drain waits for a store that does not take the outcomes of what was sent. */
const drainPatience = 10_000

/** Delivers what is on one channel's topic and on its retry topics, until it is stopped. */
export async function startDeliveryWorker(options: DeliveryWorkerOptions): Promise<Running> {
  const { channel, broker, db, prefix, clock, logger, metrics } = options
  const { namespace, name } = channel.metadata
  const { delivery } = channel.spec
  const labels = { namespace, channel: name }
  const topics = channelTopics(prefix, { namespace, name }, channel.spec.topic.name, delivery.retryTiers)
  const tiers = delivery.retryTiers.map((tier) => ({ tier, milliseconds: parseDuration(tier) }))
  const providers = openProviders(channel, options)
  const leaseMilliseconds = providers.reduce((sum, { timeout }) => sum + timeout, leaseMargin)

  const giveUp = new AbortController()
  const deliver = createDeliver({
    ledger: openLedger({ db, workerId: options.workerId }),
    followUps: createFollowUps({ producer: broker.producer, topics, tiers, clock }),
    send: createSend({ providers, clock, metrics, channel: labels }),
    render: createRender(options.catalog),
    canRender: (envelope) => knowsTemplate(options.catalog, envelope),
    policy: { tiers, maxAttempts: delivery.maxAttempts, onUnknown: delivery.onUnknown },
    idempotency: weakestIdempotency(providers),
    leaseMilliseconds,
    giveUp: giveUp.signal,
    clock,
    logger,
    metrics,
    channel: labels,
  })

  // More in flight than the first provider may have would only wait inside its lease.
  const dispatcher = new Dispatcher({
    concurrency: Math.min(delivery.concurrency, channel.spec.providers[0]!.maxConcurrent),
  })
  metrics.slots.set(labels, dispatcher.concurrency)

  function dispatch(source: Source, record: ConsumedRecord, handle: Handle): void {
    const work = readWork(record)
    if (work.kind === 'unknown_version') {
      logger.error(
        { version: work.version, topic: record.topic, partition: record.partition },
        'Delivery of an unknown version; its partition is held',
      )
      source.hold(record)
      return
    }
    const own = `${record.topic}/${record.partition}/${record.offset}`
    dispatcher.enqueue({
      key: delivery.ordering === 'PerRecipient' ? (record.key ?? own) : own,
      abandoned: handle.abandoned,
      run: async () => {
        metrics.slotsBusy.set(labels, dispatcher.running)
        const result = await deliver(work)
        metrics.slotsBusy.set(labels, dispatcher.running - 1)
        if (result.kind === 'done') handle.done()
        return result
      },
    })
  }

  const source: Source = new Source({
    broker,
    group: topics.group,
    topics: [topics.main],
    logger,
    metrics: options.sourceMetrics,
    bounds,
    onRecord: (record, handle) => dispatch(source, record, handle),
  })

  const waiting = new Map<string, DueQueue>()
  const retries: Source | undefined =
    topics.retries.length === 0
      ? undefined
      : new Source({
          broker,
          group: topics.retryGroup,
          topics: topics.retries.map(({ topic }) => topic),
          logger,
          metrics: options.sourceMetrics,
          bounds,
          onRevoked: forgetWaiting,
          onRecord: (record, handle) => {
            const partition = `${record.topic}/${record.partition}`
            const queue = waiting.get(partition) ?? new DueQueue(clock)
            waiting.set(partition, queue)
            queue.add(numberHeader(record.headers, header.due, 0) ?? 0, () => {
              if (!handle.abandoned()) dispatch(retries!, record, handle)
            })
          },
        })

  function forgetWaiting(): void {
    for (const queue of waiting.values()) queue.close()
    waiting.clear()
  }

  async function stop(): Promise<void> {
    forgetWaiting()
    const patience = setTimeout(() => giveUp.abort(), drainPatience)
    await dispatcher.drain()
    clearTimeout(patience)
    await Promise.all([source.stop(), retries?.stop()])
    await Promise.all(providers.map(({ provider }) => provider.close()))
    metrics.slots.remove(labels)
    metrics.slotsBusy.remove(labels)
  }

  const starts = await Promise.allSettled([source.start(), retries?.start()])
  const refused = starts.find((start) => start.status === 'rejected')
  if (refused !== undefined) {
    // The other consumer may have started: left alone, it would go on in its group with nobody to stop it.
    await stop()
    throw refused.reason
  }
  return {
    ready: () => source.healthy && (retries?.healthy ?? true),
    failed: retries === undefined ? source.failed : Promise.race([source.failed, retries.failed]),
    stop,
  }
}
