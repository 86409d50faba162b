import { BrokerError, type TopicPartition, type TopicPartitionOffset, partitionName } from './broker.ts'

/** What a member of a group owns in one epoch: its place in each partition, by {@link partitionName}. */
export interface OwnedPartitions<C extends { paused: boolean }> {
  readonly epoch: number
  readonly cursors: ReadonlyMap<string, C>
}

/** Pauses or resumes partitions. Those that are not owned are ignored. */
export function setPaused(
  owned: OwnedPartitions<{ paused: boolean }> | undefined,
  partitions: readonly TopicPartition[],
  paused: boolean,
): void {
  for (const partition of partitions) {
    const cursor = owned?.cursors.get(partitionName(partition))
    if (cursor) cursor.paused = paused
  }
}

/**
 * Answers what is owned. Throws a BrokerError unless all of the offsets may be committed under that epoch: `stale_epoch` when it is over or a
 * partition is not owned, `invalid` for what is no offset.
 */
export function requireOwned<O extends OwnedPartitions<{ paused: boolean }>>(
  owned: O | undefined,
  epoch: number,
  offsets: readonly TopicPartitionOffset[],
): O {
  if (owned?.epoch !== epoch) throw new BrokerError('stale_epoch', `epoch ${epoch} is over`)
  for (const position of offsets) {
    if (!owned.cursors.has(partitionName(position))) {
      throw new BrokerError('stale_epoch', `${partitionName(position)} is not owned`)
    }
    if (!Number.isSafeInteger(position.offset) || position.offset < 0) {
      throw new BrokerError('invalid', 'an offset is an integer from 0')
    }
  }
  return owned
}
