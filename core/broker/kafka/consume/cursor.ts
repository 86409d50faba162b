import type { TopicPartition } from '../../broker.ts'

/** Where a reader is in one partition. */
export interface Cursor extends TopicPartition {
  /** The offset to read next. */
  position: number
  paused: boolean
}
