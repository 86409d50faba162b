import { z } from 'zod'
import {
  formatDeliveryId,
  formatNotificationId,
  formatReplayId,
  type InstallKeys,
} from '../../core/notification/ids.ts'
import { type DeadLetterFilter, replayStatuses, skipReasons } from '../../core/notification/replay.ts'
import { reasons } from '../../core/notification/status.ts'
import { channelTypes } from '../../core/resources/channel-type.ts'
import type { DeadLetter, DeadLetterCount, DeadLetterPage } from '../../core/store/dead-letters.ts'
import type { Replay, ReplayPage } from '../../core/store/replays.ts'
import { maskRecipient } from '../answers/mask-recipient.ts'
import { present } from '../answers/present.ts'
import { encodeCursor } from '../http/cursor.ts'

/** What the API answers of dead letters and replays. A property without a value is absent. */

const time = () => z.string().meta({ format: 'date-time' })
const recipient = z.record(z.string(), z.string())

const deadLetter = z.object({
  delivery: z.string().describe('Id of the delivery.'),
  notification: z.string().describe('Id of its notification.'),
  channel: z.string(),
  type: z.enum(channelTypes),
  recipient: recipient.describe('The user, or the address with its middle left out.'),
  reason: z.enum(reasons).optional(),
  template: z.string().optional(),
  category: z.string().optional(),
  attempts: z.int().describe('Attempts made in all, those of replays too.'),
  replays: z.int().describe('How many times it was replayed already.'),
  last_error: z
    .object({
      outcome: z.string().describe('Failure class of the last attempt.'),
      provider: z.string().optional(),
      code: z.string().optional(),
      detail: z.string().optional(),
    })
    .optional(),
  dead_lettered_at: time(),
  expires_at: time().optional().describe('After this it is not sent any more, nor replayed.'),
})
export type DeadLetterResource = z.infer<typeof deadLetter>

const nextCursor = z.string().optional().describe('Where the next page begins; absent on the last one.')

export const deadLetterPage = z.object({ data: z.array(deadLetter), next_cursor: nextCursor })

export const dryRunResource = z.object({
  dry_run: z.literal(true),
  matched: z.int().describe('Dead letters that fit the filter.'),
  expired: z.int().describe('Of these, deliveries whose time is up: they would be left where they are.'),
  waiting: z
    .int()
    .describe(
      'Of these, those whose record waits in the database because the topic of dead letters does not take it: they would be left out.',
    ),
  breakdown: z.array(z.object({ channel: z.string(), reason: z.enum(reasons).optional(), count: z.int() })),
  examples: z.array(deadLetter).describe('A few of them, the newest first.'),
})

const shownFilter = z.object({
  channels: z.array(z.string()).optional(),
  reasons: z.array(z.enum(reasons)).optional(),
  templates: z.array(z.string()).optional(),
  categories: z.array(z.string()).optional(),
  recipients: z.array(recipient).optional(),
  notifications: z.array(z.string()).optional(),
  deliveries: z.array(z.string()).optional(),
  since: time().optional(),
  until: time().describe('At the latest when it was asked for: what fails again is not replayed again.'),
})

export const replayResource = z.object({
  id: z.string().describe('`rpl_` and 26 letters and digits.'),
  status: z
    .enum(replayStatuses)
    .describe(
      '`paused`: it stopped by itself, see `reason`; POST …/resume lets it go on. `completed` says that all was handed to the workers.',
    ),
  reason: z.string().optional().describe('Why it is paused or has failed.'),
  filter: shownFilter,
  rate: z.int().describe('Records per second.'),
  limit: z.int().optional(),
  matched: z.int().describe('Dead letters that fitted the filter when it was asked for.'),
  replayed: z.int().describe('Handed to the workers.'),
  skipped: z.int().describe('Left out.'),
  skipped_reasons: z
    .partialRecord(z.enum(skipReasons), z.int())
    .describe(
      '`expired`: its time was up. `channel_deleted`. `unreadable`: no record of ours, and not among `matched`. `too_large`: more than its topic takes now. `invalid_record`: its topic refuses it for something else. `topic_unavailable`: its record waits in the database until the topic of dead letters takes it; replay it then. `not_found`: its retention had passed, or it had been replayed already.',
    ),
  remaining: z.int().describe('Still to be looked at.'),
  created_at: time(),
  started_at: time().optional(),
  updated_at: time(),
  finished_at: time().optional(),
})
export type ReplayResource = z.infer<typeof replayResource>

export const replayPage = z.object({ data: z.array(replayResource), next_cursor: nextCursor })

function presentDeadLetter(keys: InstallKeys, { delivery, ...letter }: DeadLetter): DeadLetterResource {
  const { lastAttempt } = letter
  return {
    delivery: formatDeliveryId(delivery.id),
    notification: formatNotificationId(keys, delivery.tenant, delivery.notification_id),
    channel: delivery.channel,
    type: delivery.channel_type,
    recipient: maskRecipient(delivery.recipient, delivery.user_id),
    ...present({ reason: delivery.reason, template: letter.template, category: letter.category }),
    attempts: letter.attempts,
    replays: delivery.replay_epoch,
    ...(lastAttempt?.outcome && {
      last_error: {
        outcome: lastAttempt.outcome,
        ...present({ provider: lastAttempt.provider, code: lastAttempt.code, detail: lastAttempt.detail }),
      },
    }),
    dead_lettered_at: letter.deadLetteredAt.toISOString(),
    ...present({ expires_at: delivery.expires_at?.toISOString() }),
  }
}

/** A page of dead letters. */
export function presentDeadLetters(keys: InstallKeys, { deadLetters, next }: DeadLetterPage) {
  return {
    data: deadLetters.map((letter) => presentDeadLetter(keys, letter)),
    ...(next !== undefined && { next_cursor: encodeCursor(next) }),
  }
}

/** What a replay would do: counts, and a few examples. */
export function presentDryRun(
  keys: InstallKeys,
  counts: readonly DeadLetterCount[],
  examples: readonly DeadLetter[],
): z.infer<typeof dryRunResource> {
  const sum = (property: 'count' | 'expired' | 'waiting') =>
    counts.reduce((total, count) => total + count[property], 0)
  return {
    dry_run: true,
    matched: sum('count'),
    expired: sum('expired'),
    waiting: sum('waiting'),
    breakdown: counts.map(({ channel, reason, count }) => ({ channel, ...present({ reason }), count })),
    examples: examples.map((letter) => presentDeadLetter(keys, letter)),
  }
}

/** A replay and its progress. What is unreadable was not among the matched, so it does not lessen what remains. */
export function presentReplay(keys: InstallKeys, replay: Replay): ReplayResource {
  const { max_records: limit, matched, replayed, skipped: reasons } = replay
  const { unreadable = 0, ...counted } = reasons
  const left = Object.values(counted).reduce((total, count) => total + count, 0)
  return {
    id: formatReplayId(replay.id),
    status: replay.status,
    ...present({ reason: replay.reason }),
    filter: presentFilter(keys, replay.tenant, replay.filter),
    rate: replay.rate,
    ...present({ limit }),
    matched,
    replayed,
    skipped: left + unreadable,
    skipped_reasons: reasons,
    remaining: Math.max(0, Math.min(matched - left, limit ?? Infinity) - replayed),
    created_at: replay.created_at.toISOString(),
    ...present({ started_at: replay.started_at?.toISOString() }),
    updated_at: replay.updated_at.toISOString(),
    ...present({ finished_at: replay.finished_at?.toISOString() }),
  }
}

/** A page of replays. */
export function presentReplays(keys: InstallKeys, { replays, next }: ReplayPage) {
  return {
    data: replays.map((replay) => presentReplay(keys, replay)),
    ...(next !== undefined && { next_cursor: encodeCursor(next) }),
  }
}

function presentFilter(
  keys: InstallKeys,
  tenant: string,
  filter: DeadLetterFilter,
): ReplayResource['filter'] {
  const { recipients, notifications, deliveries, until = '', ...rest } = filter
  return {
    ...rest,
    ...(recipients && { recipients: recipients.map((text) => maskRecipient(text, userIn(text))) }),
    ...(notifications && {
      notifications: notifications.map((id) => formatNotificationId(keys, tenant, id)),
    }),
    ...(deliveries && { deliveries: deliveries.map(formatDeliveryId) }),
    until,
  }
}

function userIn(canonical: string): string | null {
  return canonical.startsWith('user:') ? canonical.slice('user:'.length) : null
}
