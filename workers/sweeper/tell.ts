import type { Kysely } from 'kysely'
import { BrokerError, type Producer } from '../../core/broker/broker.ts'
import type { Clock } from '../../core/clock.ts'
import { encodeEvent, isEventStatus } from '../../core/events/delivery-event.ts'
import { type EventMetrics, isRefusal } from '../../core/events/publisher.ts'
import { formatNotificationId, type InstallKeys } from '../../core/notification/ids.ts'
import type { Logger } from '../../core/observability/logger.ts'
import type { Database } from '../../core/store/schema.ts'

export interface TellOptions {
  producer: Producer
  keys: InstallKeys
  /** Prefix of the install's topics. */
  prefix: string
  clock: Pick<Clock, 'now'>
  logger: Logger
  events: EventMetrics
}

/** Changes told in one write, and writes in one round. */
const [batchSize, maxBatches] = [500, 100]

/**
 * Tells of what ended at no worker. A change that is told and not yet struck off when the process ends is told again, under the same id. Where the
 * events topic is missing, or not ours to write, they are dropped and counted, as those of workers are: they must not fill the store.
 */
export async function tellUntold(
  db: Kysely<Database>,
  { producer, keys, prefix, clock, logger, events }: TellOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let batches = 0; batches < maxBatches && !signal.aborted; batches++) {
    const changes = await readUntold(db)
    if (changes.length === 0) return
    const records = changes.flatMap(({ id, notification_id, tenant, channel, channel_type, ...change }) => {
      const { status, reason, attempt, replay_epoch: replay } = change
      if (notification_id === null || tenant === null || channel === null || channel_type === null) return []
      if (!isEventStatus(status)) return []
      const notification = formatNotificationId(keys, tenant, notification_id)
      const told = {
        id,
        notification,
        namespace: tenant,
        channel,
        type: channel_type,
        status,
        reason,
        attempt,
        replay,
      }
      return [encodeEvent(prefix, told, clock.now())]
    })
    try {
      await producer.produce(records)
      events.published.inc(records.length)
    } catch (error) {
      if (!(error instanceof BrokerError && isRefusal(error))) throw error
      events.dropped.inc({ code: error.code }, records.length)
      logger.error({ err: error, events: records.length }, 'Events dropped; carillon apply makes their topic')
    }
    await strikeOff(db, changes)
    if (changes.length < batchSize) return
  }
}

/** What a change is about is absent when the history has been deleted meanwhile. */
function readUntold(db: Kysely<Database>) {
  return db
    .selectFrom('untold_changes as u')
    .leftJoin('deliveries as d', 'd.id', 'u.delivery_id')
    .select(['u.delivery_id as id', 'u.replay_epoch', 'u.attempt', 'u.status', 'u.reason'])
    .select(['d.notification_id', 'd.tenant', 'd.channel', 'd.channel_type'])
    .limit(batchSize)
    .execute()
}

async function strikeOff(
  db: Kysely<Database>,
  changes: Awaited<ReturnType<typeof readUntold>>,
): Promise<void> {
  await db
    .deleteFrom('untold_changes')
    .where((eb) =>
      eb(
        eb.refTuple('delivery_id', 'replay_epoch', 'attempt', 'status'),
        'in',
        changes.map(({ id, replay_epoch, attempt, status }) => eb.tuple(id, replay_epoch, attempt, status)),
      ),
    )
    .execute()
}
