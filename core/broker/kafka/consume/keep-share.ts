import { sleep, systemClock as clock } from '../../../clock.ts'
import { TopicMap } from '../topic-map.ts'
import { KafkaError, REBALANCE_IN_PROGRESS } from '../wire/kafka-error.ts'
import type { Wire } from '../wire/wire.ts'
import type { GroupMember, Share } from './group-member.ts'

/** Milliseconds between heartbeats: how soon a member learns that the group is shared out anew. */
const HEARTBEAT_INTERVAL_MS = 1_000
/** Milliseconds between looks of the member that shared out for topics that have grown. */
const GROWTH_INTERVAL_MS = 5_000

/**
 * Keeps the share of a member with heartbeats, for as long as the group lets it. Resolves when stopped; rejects when the share is over:
 * the group is shared out anew, or the coordinator has not answered for too long.
 */
export async function keepShare(
  member: Pick<GroupMember, 'heartbeat'>,
  share: Share,
  wire: Wire,
  signal: AbortSignal,
): Promise<void> {
  let lookedForGrowth = performance.now()
  let answered = performance.now()
  for (;;) {
    await sleep(clock, HEARTBEAT_INTERVAL_MS, signal)
    if (signal.aborted) return
    try {
      await member.heartbeat(share)
      answered = performance.now()
    } catch (error) {
      const patience = performance.now() - answered < 5 * HEARTBEAT_INTERVAL_MS
      if (error instanceof KafkaError || !patience) throw error
      // A lost connection is no lost membership: the next heartbeat makes a new one.
      continue
    }
    if (share.counts && performance.now() - lookedForGrowth > GROWTH_INTERVAL_MS) {
      lookedForGrowth = performance.now()
      if (await hasGrown(share.counts, wire)) throw new KafkaError(REBALANCE_IN_PROGRESS, 'a topic has grown')
    }
  }
}

/** Whether a topic has another number of partitions than when the group was shared out. Unknown is no. */
async function hasGrown(counts: ReadonlyMap<string, number>, wire: Wire): Promise<boolean> {
  const topics = new TopicMap(wire)
  for (const topic of counts.keys()) topics.add(topic)
  try {
    await topics.refresh()
  } catch {
    return false
  }
  return [...counts].some(([topic, count]) => (topics.get(topic)?.partitions.length ?? 0) !== count)
}
