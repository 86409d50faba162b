import type { Broker, ConsumedRecord } from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import type { Clock, Timers } from '../../core/clock.ts'
import { createEventPublisher } from '../../core/events/publisher.ts'
import { channelTopics } from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { parseDuration } from '../../core/resources/duration.ts'
import type { TemplateThreads } from '../../core/template/threads/template-threads.ts'
import { countAcknowledged } from '../acknowledged.ts'
import type { Running } from '../running.ts'
import { type Work as Handle, Source } from '../source.ts'
import type { SourceMetrics } from '../source-metrics.ts'
import { createDeliver } from './attempt/deliver.ts'
import { createFollowUps } from './attempt/follow-ups.ts'
import { createRender, isCritical, knowsTemplate } from './attempt/render.ts'
import { createSend } from './attempt/send.ts'
import { createTell } from './attempt/tell.ts'
import { readWork } from './attempt/work.ts'
import { type BackPressure, createBackPressure } from './back-pressure/back-pressure.ts'
import { ClaimAhead } from './back-pressure/claim-ahead.ts'
import type { ProviderHealth } from './back-pressure/lane.ts'
import { Slots } from './back-pressure/slots.ts'
import { Throughput, type ThroughputSample } from './back-pressure/throughput.ts'
import { Dispatcher } from './dispatcher.ts'
import type { Ledger } from './ledger/ledger.ts'
import type { SharedLimits } from './limits/shared-limits.ts'
import type { DeliveryMetrics } from './metrics.ts'
import { type OpenedProvider, weakestIdempotency } from './providers.ts'
import { FormerTiers } from './retries/former-tiers.ts'
import { RetrySource } from './retries/retry-source.ts'
import { RetryTiers } from './retries/retry-tiers.ts'
import { inDeliverySpan } from './trace-delivery.ts'

export interface DeliveryWorkerOptions {
  channel: NotificationChannel
  broker: Broker
  /** For the templates that deliveries name. */
  catalog: Catalog
  /** Renders them. */
  templates: Pick<TemplateThreads, 'render'>
  /** Opened for this worker alone. */
  ledger: Ledger
  /** Those of the channel, in failover order. The worker closes them. */
  providers: readonly OpenedProvider[]
  /** Rate limits that all workers of the install share; without, each keeps to its own share. */
  sharedLimits?: SharedLimits | undefined
  /** Prefix of the install's topics. */
  prefix: string
  clock: Clock & Timers
  logger: Logger
  metrics: DeliveryMetrics
  sourceMetrics: SourceMetrics
}

/** Of one partition: with more unfinished it is paused. */
const bounds = { records: 5_000, bytes: 16 * 1024 * 1024 }
/** Beyond the providers' time-outs a lease covers the ledger's round trips, the wait for a slot and a pause of the process. */
const leaseMargin = 5_000
/** Deliveries that may be under way for each slot: the one in it, two claimed ahead, and two that are being recorded. */
const begunPerSlot = 5
/** Milliseconds that a drain waits for a store that does not take the outcomes of what was sent. */
const drainPatience = 10_000

export interface DeliveryWorker extends Running {
  /** Of the channel's providers, in failover order. */
  providerHealth(): ProviderHealth[]
  /** How it did since it was last asked. */
  throughput(): ThroughputSample
}

/**
 * Delivers what is on one channel's topic and on its retry topics, until it is stopped.
 * @param signal calls the start off, which waits for its groups
 */
export async function startDeliveryWorker(
  options: DeliveryWorkerOptions,
  signal?: AbortSignal,
): Promise<DeliveryWorker> {
  const { channel, broker, ledger, providers, prefix, clock, logger, metrics } = options
  const { namespace, name } = channel.metadata
  const { delivery } = channel.spec
  const labels = { namespace, channel: name }
  const topics = channelTopics(prefix, { namespace, name }, channel.spec.topic.name, delivery.retryTiers)
  const tiers = delivery.retryTiers.map((tier) => ({ tier, milliseconds: parseDuration(tier) }))
  const leaseMilliseconds = providers.reduce((sum, { timeout }) => sum + timeout, leaseMargin)

  const pressure: BackPressure = createBackPressure({
    channel,
    providers,
    shared: options.sharedLimits,
    share: () => Math.max(1, source.partitions) / Math.max(channel.spec.topic.partitions, source.partitions),
    isCritical: (envelope) => isCritical(options.catalog, envelope),
    clock,
    logger,
    metrics,
    onOpening: () => slots.wake(),
  })

  const giveUp = new AbortController()
  const producer = countAcknowledged(broker.producer)
  const events = createEventPublisher({
    producer,
    prefix,
    clock,
    logger,
    metrics: options.sourceMetrics.events,
    signal: giveUp.signal,
  })
  const deliver = createDeliver({
    ledger,
    tell: createTell(events),
    followUps: createFollowUps({
      producer,
      hold: (record) => ledger.hold(record),
      topics,
      tiers,
      clock,
      logger,
    }),
    send: createSend({
      enterAfter: pressure.enterAfter,
      clock,
      metrics,
      channel: labels,
    }),
    admitRecipient: pressure.admitRecipient,
    enterDestination: pressure.enterDestination,
    render: createRender(options.catalog, options.templates),
    canRender: (envelope) => knowsTemplate(options.catalog, envelope),
    isCatalogCurrent: () => options.catalog.isCurrent(),
    policy: { tiers, maxAttempts: delivery.maxAttempts, onUnknown: delivery.onUnknown },
    idempotency: weakestIdempotency(providers),
    leaseMilliseconds,
    giveUp: giveUp.signal,
    clock,
    logger,
    metrics,
    channel: labels,
  })

  // More in flight than a provider may have would only wait inside its lease.
  const concurrency = Math.min(
    delivery.concurrency,
    Math.max(...providers.map(({ maxConcurrent }) => maxConcurrent)),
  )
  const throughput = new Throughput({ slots: concurrency, clock })
  // What a dead worker held ends as `unknown` there, whether it was sent or not: so nothing is held that need not be.
  const holds = delivery.onUnknown === 'Hold' && weakestIdempotency(providers) === 'none'
  const slots: Slots = new Slots({
    concurrency,
    pressure,
    ahead: holds ? undefined : new ClaimAhead(),
    throughput,
    clock,
    onFree: () => dispatcher.wake(),
  })
  const dispatcher = new Dispatcher({
    concurrency: begunPerSlot * concurrency,
    clock,
    mayStart: () => slots.mayBegin(),
  })
  metrics.slots.set(labels, concurrency)
  const observe = () => metrics.slotsBusy.set(labels, slots.busy)
  metrics.limits.observers.add(observe)

  function dispatch(source: Pick<Source, 'hold'>, record: ConsumedRecord, handle: Handle): void {
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
      run: async (alone) => {
        const place = slots.begin(handle.abandoned)
        const group = record.topic === topics.main ? topics.group : topics.retryGroup
        const result = await inDeliverySpan(work, group, () => deliver(work, place, alone))
        place.end(result.kind === 'done')
        pressure.observe()
        // Untold when the wait for it was given up: then the record is read again.
        if (result.kind === 'done') void Promise.resolve(result.told).then(handle.done, () => {})
        return result
      },
    })
  }

  function dropAbandoned(): void {
    dispatcher.dropAbandoned()
    slots.dropAbandoned()
  }

  const source: Source = new Source({
    broker,
    group: topics.group,
    topics: [topics.main],
    clock,
    logger,
    metrics: options.sourceMetrics,
    bounds,
    onRevoked: dropAbandoned,
    onRecord: (record, handle) => dispatch(source, record, handle),
  })

  const openRetries = (retryTopics: readonly string[]): RetrySource => {
    const retrySource: RetrySource = new RetrySource({
      broker,
      group: topics.retryGroup,
      topics: retryTopics,
      clock,
      logger,
      metrics: options.sourceMetrics,
      bounds,
      onRevoked: dropAbandoned,
      onDue: (record, handle) => dispatch(retrySource, record, handle),
    })
    return retrySource
  }
  const retries = new RetryTiers({
    topics: topics.retries.map(({ topic }) => topic),
    open: openRetries,
    clock,
    logger,
  })
  const formerTiers = new FormerTiers({ admin: broker.admin, topics, open: openRetries, clock, logger })

  async function stop(): Promise<void> {
    retries.forget()
    formerTiers.forget()
    const callOff = clock.after(drainPatience, () => giveUp.abort())
    const drained = dispatcher.drain()
    slots.stop()
    await drained
    await events.idle()
    callOff()
    pressure.stop()
    await Promise.all([source.stop(), retries.stop(), formerTiers.stop()])
    await Promise.all(providers.map(({ provider }) => provider.close()))
    metrics.slots.remove(labels)
    metrics.limits.observers.delete(observe)
    metrics.slotsBusy.remove(labels)
  }

  const callOff = () => void retries.stop()
  signal?.addEventListener('abort', callOff)
  const starts = await Promise.allSettled([source.start(signal), retries.start()])
  signal?.removeEventListener('abort', callOff)
  const refused = starts.find((start) => start.status === 'rejected')
  if (refused !== undefined) {
    // The other consumer may have started: left alone, it would go on in its group with nobody to stop it.
    await stop()
    throw refused.reason
  }
  formerTiers.start()
  return {
    ready: () => source.healthy && retries.healthy,
    failed: Promise.race([source.failed, retries.failed]),
    stop,
    providerHealth: pressure.health,
    throughput: () => throughput.sample(),
  }
}
