import type { Broker, ConsumedRecord } from '../../core/broker/broker.ts'
import { type Clock, sleep, type Timers } from '../../core/clock.ts'
import { createEventPublisher } from '../../core/events/publisher.ts'
import { decodeRequest, header } from '../../core/notification/envelope.ts'
import { recordIdFor } from '../../core/notification/ids.ts'
import { plannerGroup, requestsDeadLettersTopic, requestsTopic } from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { createPace } from '../../core/pace.ts'
import { retry } from '../../core/retry.ts'
import type { RecordToHold } from '../../core/store/held-records.ts'
import { isDataError } from '../../core/store/store.ts'
import { countAcknowledged } from '../acknowledged.ts'
import { logLostLetter, produceDeadLetter } from '../dead-letter.ts'
import type { Running } from '../running.ts'
import { Source, type Work } from '../source.ts'
import type { SourceMetrics } from '../source-metrics.ts'
import { createWriteOrHold } from '../write-or-hold.ts'
import { createOutlet } from './outlet.ts'
import { type PlanBatchOptions, type PlannableRequest, planBatch } from './plan-batch.ts'

export interface PlannerOptions extends Omit<PlanBatchOptions, 'events' | 'outlet'> {
  broker: Broker
  clock: Clock & Timers
  logger: Logger
  metrics: SourceMetrics
}

interface Taken extends PlannableRequest {
  work: Work
}

/** Requests planned together: enough to share a transaction, few enough to be done in milliseconds. */
const maxBatch = 200
/** Bytes of what a batch may become: a request is copied for each recipient and channel. */
const maxBatchBytes = 8 * 1024 * 1024
/**
 * Milliseconds between the beginnings of two batches, at the least. A batch costs PostgreSQL a millisecond of CPU whatever is in it, and
 * its records reach Kafka and the workers together: without it, processors that are short spend it on batches of one.
 */
const batchInterval = 5
const holdMilliseconds = 1_000
/** Milliseconds that a stop waits for a broker that does not take the events. */
const drainPatience = 10_000
const laterMilliseconds = 5_000
/** Milliseconds after acceptance within which a channel that is gone may come back, and between looks for one that is missing here. */
const [channelGrace, catalogMilliseconds] = [10_000, 1_000]

/** Turns accepted requests into deliveries: records them, then writes one record per delivery to its channel's topic. */
export async function startPlanner(options: PlannerOptions): Promise<Running> {
  const { broker, catalog, prefix, clock, logger } = options
  const waiting: Taken[] = []
  const stopping = new AbortController()
  const giveUp = new AbortController()
  const producer = countAcknowledged(broker.producer)
  const events = createEventPublisher({
    producer,
    prefix,
    clock,
    logger,
    metrics: options.metrics.events,
    signal: giveUp.signal,
  })
  const outlet = createOutlet({ ...options, producer })
  const hold = (record: RecordToHold) => options.store.hold([record])
  const writeOrHold = createWriteOrHold({ producer, hold, clock, logger })
  const pace = createPace(batchInterval, clock)
  /** What calls off the waits of requests for a channel, or for a defect of ours to be mended. */
  const aside = new Set<() => void>()
  let working: Promise<void> = Promise.resolve()
  let idle = true

  const source = new Source({
    broker,
    group: plannerGroup(prefix),
    topics: [requestsTopic(prefix)],
    clock,
    logger,
    metrics: options.metrics,
    bounds: { records: 2_000, bytes: 16 * 1024 * 1024 },
    onRecord: (record, work) => {
      const decoded = decodeRequest(record.value, record.headers)
      switch (decoded.kind) {
        case 'ok':
          return take({ record, work, request: decoded.envelope })
        case 'unknown_version':
          logger.error(
            { version: decoded.version, partition: record.partition },
            'Request of an unknown version; its partition is held',
          )
          return source.hold(record)
        case 'poison':
          void deadLetter(record, work, decoded.detail)
      }
    },
  })

  async function planWaiting(): Promise<void> {
    idle = false
    while (waiting.length > 0 && !stopping.signal.aborted) {
      // Also what else is being handed over now shall join the first batch.
      await pace()
      const batch = waiting.splice(0, batchLength(waiting)).filter(({ work }) => !work.abandoned())
      if (batch.length > 0) await planUntilDone(batch)
    }
    idle = true
  }

  /** Holds while the store or the broker is away. Takes a batch apart to find the request that stands in the way of the others. */
  async function planUntilDone(batch: readonly Taken[]): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        const { told } = await planBatch({ ...options, outlet, events }, batch)
        // Untold when the wait for it was given up: then the requests are read again.
        void told.then(
          () => batch.forEach(({ work }) => work.done()),
          () => {},
        )
        return
      } catch (error) {
        const fault = faultOf(error)
        if (fault !== 'away' && batch.length > 1) {
          for (const taken of batch) await planUntilDone([taken])
          return
        }
        const [first] = batch as [Taken]
        logger.warn({ err: error, notification: first.request.id, requests: batch.length }, 'Planning held')
        if (fault === 'request') return deadLetter(first.record, first.work, 'cannot be recorded')
        // Out of the way of the others.
        if (fault === 'later') return later(first, laterMilliseconds)
        await sleep(clock, holdMilliseconds, stopping.signal)
      }
    }
  }

  function later(taken: Taken, milliseconds: number): void {
    const callOff = clock.after(milliseconds, () => {
      aside.delete(callOff)
      take(taken)
    })
    aside.add(callOff)
  }

  /** A channel that the API knew and we do not may be on its way to us, or deleted and applied again. */
  async function awaitChannels(taken: Taken): Promise<void> {
    const isYoung = clock.now() - Date.parse(taken.request.accepted_at) < channelGrace
    const mayCome = isYoung || !(await catalog.isCurrent())
    if (stopping.signal.aborted) return
    if (mayCome) later(taken, catalogMilliseconds)
    else planSoon(taken)
  }

  function take(taken: Taken): void {
    const { tenant, channels } = taken.request
    const isKnown = channels.every((name) => catalog.channel(tenant, name) !== undefined)
    if (isKnown) planSoon(taken)
    else void awaitChannels(taken)
  }

  function planSoon(taken: Taken): void {
    waiting.push(taken)
    if (idle) working = planWaiting()
  }

  async function deadLetter(record: ConsumedRecord, work: Work, detail: string): Promise<void> {
    logger.warn({ partition: record.partition, offset: record.offset, detail }, 'Poison request')
    const origin = `${record.topic}/${record.partition}/${record.offset}`
    const headers = { ...record.headers, [header.reason]: 'poison', [header.origin]: origin }
    const { key, value } = record
    const letter = { topic: requestsDeadLettersTopic(prefix), key, value, headers }
    const held = { delivery: recordIdFor(origin), state: null }
    const write = () => writeOrHold(letter, held, produceDeadLetter)
    const onFailure = (error: unknown) => logger.warn({ err: error }, 'Dead letter held')
    // Only the stop ends it otherwise: then the record is read again.
    await retry(write, { clock, pauseAfter: () => holdMilliseconds, onFailure }, stopping.signal).then(
      (verdict) => {
        if (verdict !== undefined) logLostLetter(logger, letter, verdict)
        work.done()
      },
      () => {},
    )
  }

  await source.start()
  return {
    ready: () => source.healthy,
    failed: source.failed,
    async stop() {
      stopping.abort()
      for (const callOff of aside) callOff()
      const callOffGiveUp = clock.after(drainPatience, () => giveUp.abort())
      await working
      await events.idle()
      callOffGiveUp()
      await source.stop()
    },
  }
}

/** How many of the first requests to plan together, at least one. */
function batchLength(waiting: readonly Taken[]): number {
  let bytes = 0
  const fits = ({ record, request: { to, channels } }: Taken) => {
    bytes += (record.value?.length ?? 0) * to.length * channels.length
    return bytes <= maxBatchBytes
  }
  const tooMany = waiting.slice(0, maxBatch).findIndex((taken) => !fits(taken))
  return tooMany < 0 ? maxBatch : Math.max(tooMany, 1)
}

/** What a failure says: something is away and comes back, this request has to wait and no other, or it cannot be kept. */
function faultOf(error: unknown): 'away' | 'later' | 'request' {
  if (isDataError(error)) return 'request'
  // A defect of ours that this request brings out: the others need not wait until it is mended.
  return error instanceof TypeError || error instanceof RangeError ? 'later' : 'away'
}
