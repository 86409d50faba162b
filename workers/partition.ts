import type { Consumer, TopicPartition } from '../core/broker/broker.ts'
import type { SourceMetrics } from './source-metrics.ts'
import { Tracker } from './tracker.ts'

/** What one partition may have unfinished before it is paused. Since the oldest of that, ten times as many records may be read. */
export interface Bounds {
  records: number
  bytes: number
}

/**
 * Of the bound of records, what may be read since the oldest that is unfinished. One that takes long must not stop those behind it; what is
 * finished behind it costs little memory, and to be read again after a crash.
 */
const spanFactor = 10

/** A partition that a source reads, for as long as it is assigned. */
export interface Partition extends TopicPartition {
  tracker: Tracker
  committed: number | undefined
  paused: boolean
  held: boolean
}

/** A partition at the beginning of its assignment: nothing read, nothing committed. */
export function newPartition(place: TopicPartition): Partition {
  return { ...place, tracker: new Tracker(), committed: undefined, paused: false, held: false }
}

/**
 * The log is not the one that was read so far: its topic was made anew, or it was cut off when a copy that was behind took the lead. What was
 * taken of it goes on, and no longer counts for what is committed.
 */
export function beginAgain(partition: Partition): void {
  partition.tracker = new Tracker()
  partition.committed = undefined
}

/** Pauses above the bounds and resumes below half of them, so that it does not flutter. */
export function pauseOrResume(
  partition: Partition,
  bounds: Bounds,
  consumer: Pick<Consumer, 'pause' | 'resume'>,
): void {
  if (partition.held) return
  const { unfinished, span, bytes } = partition.tracker
  const load = Math.max(
    unfinished / bounds.records,
    span / (bounds.records * spanFactor),
    bytes / bounds.bytes,
  )
  if (!partition.paused && load >= 1) {
    partition.paused = true
    consumer.pause([partition])
  } else if (partition.paused && load <= 1 / 2) {
    partition.paused = false
    consumer.resume([partition])
  }
}

/** Sets what the partitions have unfinished, by topic: counted now and then, because counting every record costs more than it tells. */
export function observePartitions(
  partitions: Iterable<Partition>,
  { group, topics, metrics }: { group: string; topics: readonly string[]; metrics: SourceMetrics },
): void {
  const all = [...partitions]
  for (const topic of topics) {
    const own = all.filter((partition) => partition.topic === topic)
    const sum = (of: (partition: Partition) => number) => own.reduce((total, each) => total + of(each), 0)
    const labels = { group, topic }
    metrics.paused.set(
      labels,
      sum(({ paused }) => Number(paused)),
    )
    metrics.inFlight.set(
      labels,
      sum(({ tracker }) => tracker.unfinished),
    )
    metrics.queueBytes.set(
      labels,
      sum(({ tracker }) => tracker.bytes),
    )
  }
}
