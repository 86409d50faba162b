import type { Kysely } from 'kysely'
import { type Admin, BrokerError } from '../../core/broker/broker.ts'
import type { Catalog } from '../../core/catalog/catalog.ts'
import type { Clock } from '../../core/clock.ts'
import {
  channelTopics,
  plannerGroup,
  requestsTopic,
  retryTopicPrefix,
} from '../../core/notification/topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import type { Database } from '../../core/store/schema.ts'
import { goneUntil, hasFinished } from './log-start.ts'
import type { Note, Place } from './overdue.ts'
import { endStranded, findWaiting, type Waiting } from './waiting.ts'

export interface StrandedWalkOptions {
  admin: Pick<Admin, 'lag' | 'offsetsAt' | 'listTopics'>
  catalog: Pick<Catalog, 'synced' | 'channel'>
  /** Prefix of the install's topics. */
  prefix: string
  /** Milliseconds that a delivery waits before it is asked whether its record and its channel are still there. */
  patience: number
  clock: Clock
  logger: Logger
}

/** Milliseconds that the clocks of the database and of those who write records may be apart. */
const clockSkew = 60_000
const nil = '00000000-0000-0000-0000-000000000000'
/** Deliveries looked at in one statement, and statements in one round. */
const [pageSize, maxPages] = [5_000, 20]

/**
 * Ends deliveries long before their deadline when nobody can work on them any more: their channel was deleted, or their record has left
 * the log. It walks along all deliveries whose deadline is to come, some in every round, and begins anew at the end.
 */
export class StrandedWalk {
  readonly #options: StrandedWalkOptions
  /** Where the walk goes on; at the beginning when `undefined`. */
  #place: Place | undefined
  /** Since when each channel has been missing, on the clock that does not jump. */
  readonly #missing = new Map<string, { tenant: string; channel: string; since: number }>()

  constructor(options: StrandedWalkOptions) {
    this.#options = options
  }

  async sweep(db: Kysely<Database>, note: Note, signal: AbortSignal): Promise<void> {
    const { catalog, clock, patience } = this.#options
    if (!catalog.synced()) return
    this.#noteReturned()
    for (let pages = 0; pages < maxPages && !signal.aborted; pages++) {
      const from = this.#place ?? { expires_at: new Date(clock.now()).toISOString(), id: nil }
      const page = await findWaiting(db, from, pageSize, new Date(clock.now() - patience))
      for (const waiting of page.waiting) {
        const verdict = await this.#judge(waiting)
        if (verdict === undefined) continue
        const { tenant, channel } = waiting
        const count = await endStranded(db, { tenant, channel, from, to: page.last!, ...verdict })
        note(verdict.status, verdict.reason, count)
      }
      this.#place = page.end ? undefined : page.last!
      if (page.end) return
    }
  }

  /** A channel that was applied again meanwhile is missed anew when it goes again. */
  #noteReturned(): void {
    for (const [key, { tenant, channel }] of this.#missing)
      if (this.#options.catalog.channel(tenant, channel) !== undefined) this.#missing.delete(key)
  }

  async #judge(waiting: Waiting) {
    const { tenant, channel, newest } = waiting
    const found = this.#options.catalog.channel(tenant, channel)?.resource
    if (found === undefined)
      return this.#isMissed(tenant, channel)
        ? ({ since: newest, status: 'failed', reason: 'channel_deleted' } as const)
        : undefined
    const since = await this.#lostUntil(found, waiting)
    return since && ({ since, status: 'expired', reason: 'log_expired' } as const)
  }

  /** Whether a channel has been missing for so long that it will not be back. */
  #isMissed(tenant: string, channel: string): boolean {
    const { clock, patience } = this.#options
    const key = `${tenant}/${channel}`
    const missed = this.#missing.get(key) ?? { tenant, channel, since: clock.monotonic() }
    this.#missing.set(key, missed)
    return clock.monotonic() - missed.since >= patience
  }

  /** Until when the deliveries of a channel were queued whose records have left the log. What cannot be read now is read at the next walk. */
  async #lostUntil(channel: NotificationChannel, { oldest, newest }: Waiting): Promise<Date | undefined> {
    const { admin, prefix, patience, logger } = this.#options
    const { metadata, spec } = channel
    const { main, group } = channelTopics(prefix, metadata, spec.topic.name, [])
    try {
      const retries = await admin.listTopics(retryTopicPrefix(main))
      const log = { group, topics: [main, ...retries] }
      const gone = await goneUntil(admin, log, oldest.getTime() + patience, newest.getTime() + patience)
      if (gone === undefined) return undefined
      // A record that was never written, because the planner could not, is not lost: its request is unfinished.
      const requests = { group: plannerGroup(prefix), topics: [requestsTopic(prefix)] }
      const planned = await hasFinished(admin, requests, newest.getTime() + clockSkew)
      return planned ? new Date(gone - patience) : undefined
    } catch (error) {
      if (!(error instanceof BrokerError)) throw error
      logger.warn({ err: error, channel: group }, 'The log of a channel cannot be read')
      return undefined
    }
  }
}
