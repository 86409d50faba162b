import type { Reason } from './status.ts'

/** Which dead letters are meant: those that fit every property that is set, and for each at least one of its values. */
export interface DeadLetterFilter {
  channels?: string[]
  reasons?: Reason[]
  templates?: string[]
  categories?: string[]
  /** In canonical form. `user:…` means everything for that user, whatever the address. */
  recipients?: string[]
  notifications?: string[]
  deliveries?: string[]
  /** Dead-lettered at or after this time (RFC 3339). */
  since?: string
  /** Dead-lettered before this time. */
  until?: string
}

export const replayStatuses = ['pending', 'running', 'paused', 'completed', 'cancelled', 'failed'] as const

/** `paused`: it stopped by itself because what it replayed failed again, and can be resumed. The last three are final. */
export type ReplayStatus = (typeof replayStatuses)[number]

/**
 * Why a dead letter was not replayed: its delivery has `expired`; its channel is gone; its record is `unreadable`, or larger than its topic takes now, or one
 * that it refuses for something else; its record waits in the store, because the topic of dead letters did not take it when the replay began; or it was `not_found` when its turn came: the topic's retention had passed, or it was replayed already, by another replay or by this
 * one before a crash.
 */
export const skipReasons = [
  'expired',
  'channel_deleted',
  'unreadable',
  'too_large',
  'invalid_record',
  'topic_unavailable',
  'not_found',
] as const
export type SkipReason = (typeof skipReasons)[number]
export type SkippedCounts = Partial<Record<SkipReason, number>>

/** For each partition of dead letters, by `topic/partition`: the offset to read next, and the end that was noted at the start. */
export type ReplayPositions = Record<string, { next: number; end: number }>
