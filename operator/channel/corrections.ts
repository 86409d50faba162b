import type { TopicSpec } from '../../core/broker/broker.ts'
import type { TopicChange } from '../../core/broker/reconcile-topics.ts'
import type { Logger } from '../../core/observability/logger.ts'
import { describeCorrection, type TellCorrection, textOf } from '../corrections.ts'
import { keyOf, nameOf, type ObjectName } from '../runtime/api/resource-kind.ts'
import type { RecordEvent } from '../runtime/events.ts'
import type { Correction } from '../runtime/made.ts'
import type { Cache } from '../runtime/watch/cache.ts'
import { channelOf } from './names.ts'
import type { ChannelObject } from './status.ts'

/** Tells of a child of a channel that was put right: where whoever changed it looks, and to the owner of the channel, who may not see it. */
export function createChildTeller(channels: Pick<Cache<ChannelObject>, 'get'>, tell: TellCorrection) {
  return (correction: Correction): void => {
    const { object } = correction
    const channel = channelOf(object.metadata.labels)
    if (channel === undefined) return
    const what = describeCorrection(correction)
    const owner = channels.get(channel)
    tell(
      { regarding: object, what: `${what}: edit NotificationChannel ${keyOf(channel)} instead` },
      ...(owner === undefined ? [] : [{ regarding: owner, what: `${textOf(object)}: ${what}` }]),
    )
  }
}

export interface TopicsMade {
  specs: readonly TopicSpec[]
  /** What it took to make the topics so. */
  changes: readonly TopicChange[]
}

/** Tells what somebody else had done to the topics of a channel, once that has been put right. */
export class TopicTeller {
  readonly #options: { recordEvent: RecordEvent; tellCorrection: TellCorrection; logger: Logger }
  /** As what the topics of a channel were made last, here. */
  readonly #made = new Map<string, { uid: string | undefined; specs: string }>()

  constructor(options: { recordEvent: RecordEvent; tellCorrection: TellCorrection; logger: Logger }) {
    this.#options = options
  }

  /** @param known topics that the channel had before */
  tell(object: ChannelObject, { specs, changes }: TopicsMade, known: readonly string[]): void {
    const { recordEvent, tellCorrection, logger } = this.#options
    const key = keyOf(nameOf(object))
    const made = { uid: object.metadata.uid, specs: JSON.stringify(specs) }
    const before = this.#made.get(key)
    this.#made.set(key, made)
    const lost = changes.flatMap((change) =>
      change.kind === 'create' && known.includes(change.spec.name) ? [change.spec.name] : [],
    )
    if (lost.length > 0) {
      logger.warn({ channel: key, topics: lost }, 'Topics were gone and have been made again')
      const note = `gone from Kafka, and made again: ${lost.join(', ')}; what was on it is lost: messages that were still to be delivered end as expired, reason log_expired, and have to be sent again; dead letters cannot be replayed`
      recordEvent(object, { type: 'Warning', reason: 'TopicRecreated', action: 'Create', note })
    }
    if (before?.uid !== made.uid || before?.specs !== made.specs) return
    for (const change of changes)
      if (change.kind !== 'create') {
        tellCorrection({ regarding: object, what: describe(change) })
      }
  }

  forget(name: ObjectName): void {
    this.#made.delete(keyOf(name))
  }
}

function describe(change: Exclude<TopicChange, { kind: 'create' }>): string {
  if (change.kind === 'grow')
    return `topic ${change.topic}: put back ${change.to} partitions, of which there were ${change.from}`
  const settings = Object.entries(change.config).map(([key, value]) => `${key}=${value}`)
  return `topic ${change.topic}: put back ${settings.join(', ')}`
}
