import type { Kysely } from 'kysely'
import { type Broker, BrokerError } from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import type { Clock, Timers } from '../../core/clock.ts'
import type { ReplayPositions } from '../../core/notification/replay.ts'
import { channelTopics, replayGroup } from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { retry } from '../../core/retry.ts'
import { countDeadLetters, type DeadLetterCount, findDeadLetters } from '../../core/store/dead-letters.ts'
import type { Database } from '../../core/store/schema.ts'
import { isDataError } from '../../core/store/store.ts'
import type { SourceMetrics } from '../source-metrics.ts'
import { createFailureWatch, readStandings } from './failures.ts'
import type { Job, Progress } from './jobs.ts'
import { createPacer } from './pacer.ts'
import { isRead, ofTopics, readPositions, unreadTopics, withoutDropped } from './positions.ts'
import { createReader, type Taken } from './reader.ts'
import { addSkipped, createStep } from './step.ts'

export interface ReplayOptions {
  broker: Broker
  db: Kysely<Database>
  catalog: Pick<Catalog, 'channels'>
  /** Prefix of the install's topics. */
  prefix: string
  clock: Clock & Timers
  logger: Logger
  metrics: SourceMetrics
}

/** Records judged together. */
const maxBatch = 200
/** Milliseconds without a record after which it is looked whether any is left. */
const idleMilliseconds = 1_000
/** Milliseconds before a step is tried again that found the store or the broker away. */
const holdMilliseconds = 1_000

/**
 * Works on a replay until it has ended, is no longer ours, or the signal is aborted, which gives it back. The dead letter topics are read
 * from where the replay stands to the end that was noted when it began; each record is judged, written to its channel's topic
 * if it is meant, and only then counted as read.
 */
export async function runReplay(
  job: Job,
  { broker, db, catalog, prefix, clock, logger, metrics }: ReplayOptions,
  signal: AbortSignal,
): Promise<void> {
  const { id, tenant, filter, rate, matched } = job.replay
  const limit = job.replay.max_records ?? Infinity
  const scope = { tenant, filter }
  const group = replayGroup(prefix, id)
  const topics = topicsOf(catalog, prefix, tenant)
  const watch = createFailureWatch({ look: (ids) => readStandings(db, ids), clock })
  const step = createStep({
    producer: broker.producer,
    pacer: createPacer(rate, clock),
    clock,
    limit,
    filter,
    mainTopic: (topic) => topics.byDeadLetters.get(topic)!,
    find: (ids) => findDeadLetters(db, scope, ids),
    onReplayed: (replayed) => watch.note(replayed),
  })
  let progress: Progress = { ...job.replay, positions: stillThere(job.replay.positions) }

  /** Tries until it succeeds. Throws what does not pass by waiting, and when the signal is aborted. */
  function hold<T>(attempt: () => Promise<T>): Promise<T> {
    const onFailure = (error: unknown) => {
      if (isFinal(error) || signal.aborted) throw error
      logger.warn({ err: error, replay: id }, 'Replay held')
    }
    return retry(attempt, { clock, pauseAfter: () => holdMilliseconds, onFailure }, signal)
  }

  async function begin(): Promise<Progress> {
    const counts = await countDeadLetters(db, scope)
    const isThere = ({ channel }: DeadLetterCount) => topics.byChannel.has(channel)
    const gone = counts.filter((entry) => !isThere(entry)).map(({ count }) => count)
    const waiting = counts.filter(isThere).map((entry) => entry.waiting)
    const deadLetters = counts.flatMap(({ channel }) => topics.byChannel.get(channel) ?? [])
    const positions = await readPositions(broker.admin, group, [...new Set(deadLetters)])
    const unread = { channel_deleted: sum(gone), topic_unavailable: sum(waiting) }
    const skipped = addSkipped(progress.skipped, unread)
    return { ...progress, skipped, positions }
  }

  async function read(): Promise<'done' | 'lost'> {
    const reader = await hold(open)
    const broken = reader.failed.then((error) => Promise.reject(error))
    broken.catch(() => {})
    try {
      while (!isDone()) {
        const next = reader.next(Math.min(maxBatch, rate), idleMilliseconds, signal)
        const batch = await Promise.race([next, broken])
        progress = await take(batch)
        if (!(await save())) return 'lost'
        for (const { work } of batch) work.done()
        if (!isDone() && (await hasPaused())) return 'lost'
      }
      return 'done'
    } finally {
      await reader.stop()
    }
  }

  async function open() {
    const reader = createReader({
      broker,
      group,
      topics: unreadTopics(progress.positions!),
      clock,
      logger,
      metrics,
    })
    await reader.start(signal)
    return reader
  }

  function take(batch: readonly Taken[]): Promise<Progress> {
    const records = batch.map(({ record }) => record)
    return hold(() => (records.length === 0 ? dropLost() : step(records, progress, signal)))
  }

  /** Nothing came: what is still awaited may have passed its retention. */
  async function dropLost(): Promise<Progress> {
    const positions = progress.positions!
    const present = await readPositions(broker.admin, group, unreadTopics(positions))
    return { ...progress, positions: withoutDropped(positions, present) }
  }

  async function hasPaused(): Promise<boolean> {
    const reason = await hold(() => watch.reasonToPause())
    if (reason === undefined) return false
    await hold(() => job.end(progress, 'paused', reason))
    logger.warn({ replay: id, reason }, 'Replay paused')
    return true
  }

  async function complete(): Promise<void> {
    const { unreadable: _, ...counted } = progress.skipped
    const missing = matched - progress.replayed - sum(Object.values(counted))
    // With a limit, what is left over was not looked at.
    const skipped = addSkipped(progress.skipped, { not_found: progress.replayed < limit ? missing : 0 })
    await hold(() => job.end({ ...progress, skipped }, 'completed'))
    logger.info({ replay: id, replayed: progress.replayed, skipped }, 'Replay completed')
  }

  /** A channel that was removed since the replay began: what it has is found missing at the end. */
  function stillThere(positions: ReplayPositions | null): ReplayPositions | null {
    return positions && ofTopics(positions, (topic) => topics.byDeadLetters.has(topic))
  }

  const isDone = () => isRead(progress.positions!) || progress.replayed >= limit
  const save = () => hold(() => job.save(progress))

  try {
    if (progress.positions === null) progress = await hold(begin)
    if (!(await save())) return
    if (isDone() || (await read()) === 'done') await complete()
  } catch (error) {
    if (signal.aborted) return await job.release()
    logger.error({ err: error, replay: id }, 'Replay failed')
    const reason = error instanceof BrokerError ? error.message : 'something went wrong; the log says what'
    await job.end(progress, 'failed', reason)
  }
}

/** Of the tenant's channels the topic of dead letters by the channel's name, and the main topic by the topic of dead letters. */
function topicsOf(catalog: Pick<Catalog, 'channels'>, prefix: string, tenant: string) {
  const channels = catalog.channels(tenant).map(({ resource: { metadata, spec } }) => ({
    name: metadata.name,
    ...channelTopics(prefix, metadata, spec.topic.name, []),
  }))
  return {
    byChannel: new Map(channels.map(({ name, deadLetters }) => [name, deadLetters])),
    byDeadLetters: new Map(channels.map(({ deadLetters, main }) => [deadLetters, main])),
  }
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0)
}

/** Whether trying again would mend nothing. */
function isFinal(error: unknown): boolean {
  if (isDataError(error)) return true
  const final = ['unknown_topic', 'unauthorized', 'invalid', 'closed']
  return error instanceof BrokerError && final.includes(error.code)
}
