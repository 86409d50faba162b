import { z } from 'zod'
import type { Catalog } from '../../core/catalog/catalog.ts'
import { type InstallKeys, parseDeliveryId, parseNotificationId } from '../../core/notification/ids.ts'
import { canonicalRecipient, recipientSchema } from '../../core/notification/recipient.ts'
import type { DeadLetterFilter } from '../../core/notification/replay.ts'
import { reasons } from '../../core/notification/status.ts'
import { label } from '../../core/resources/resource.ts'
import { present } from '../answers/present.ts'
import { type FieldError, fieldError } from '../http/problem.ts'

/** Values of one property of a filter. */
const maxValues = 100
const some = <T extends z.ZodType>(value: T) => z.array(value).min(1).max(maxValues).optional()
const time = () => z.string().meta({ format: 'date-time' })

const filterSchema = z.strictObject({
  channels: some(label()).describe('Names of channels.'),
  reasons: some(z.enum(reasons)).describe(
    '`retries_exhausted`: the attempts were spent. `poison`: the message could not be used.',
  ),
  templates: some(label()).describe('Names of templates.'),
  categories: some(z.string().min(1).max(63)).describe('Categories.'),
  recipients: some(recipientSchema.meta({ minProperties: 1, maxProperties: 1 })).describe(
    'Recipients. A user means everything for that user, at whatever address.',
  ),
  notifications: some(z.string()).describe('Ids of notifications, `ntf_…`.'),
  deliveries: some(z.string()).describe('Ids of deliveries, `dlv_…`.'),
  since: time().optional().describe('Dead-lettered at or after this time (RFC 3339).'),
  until: time().optional().describe('Dead-lettered before this time (RFC 3339).'),
})

/** Records per second: by default a small share of what a worker does, so that a replay does not crowd out what is new. */
export const defaultRate = 50
const maxRate = 1_000

/** Body of `POST /v1/replays`. */
export const replayRequestSchema = z
  .strictObject({
    filter: filterSchema
      .default({})
      .describe('Which dead letters: those that fit every property given. Without it: all of them.'),
    dry_run: z.boolean().default(false).describe('Only answer what would be replayed.'),
    rate: z.int().min(1).max(maxRate).default(defaultRate).describe('Records per second.'),
    limit: z
      .int()
      .min(1)
      .max(10_000_000)
      .optional()
      .describe('Replay so many at the most, the oldest first: to try with a few.'),
  })
  .meta({
    examples: [
      { filter: { channels: ['email'], reasons: ['retries_exhausted'] }, dry_run: true },
      { filter: { channels: ['email'], since: '2026-11-30T08:00:00Z' }, rate: 20 },
    ],
  })

export type ReplayRequest = z.input<typeof replayRequestSchema>

export type ReadFilter = { kind: 'ok'; filter: DeadLetterFilter } | { kind: 'invalid'; errors: FieldError[] }

/** A filter in our own words. Refused where it names what there is not: a slip of the pen would otherwise replay nothing, in silence. */
export function readFilter(
  wanted: NonNullable<ReplayRequest['filter']>,
  { catalog, keys, tenant }: { catalog: Catalog; keys: InstallKeys; tenant: string },
): ReadFilter {
  const errors: FieldError[] = []
  const { recipients, notifications, deliveries, since, until, ...names } = wanted
  for (const [index, name] of (names.channels ?? []).entries())
    if (catalog.channel(tenant, name) === undefined)
      errors.push(fieldError(`/filter/channels/${index}`, 'unknown_channel', 'there is no such channel'))
  const ids = <T>(property: string, values: string[] | undefined, parse: (text: string) => T | undefined) =>
    values?.flatMap((text, index) => {
      const id = parse(text)
      if (id !== undefined) return [id]
      errors.push(fieldError(`/filter/${property}/${index}`, 'unknown_id', 'is no id of ours'))
      return []
    })
  const notificationIds = ids('notifications', notifications, (text) =>
    parseNotificationId(keys, tenant, text),
  )
  const deliveryIds = ids('deliveries', deliveries, parseDeliveryId)
  const times = { since: since && Date.parse(since), until: until && Date.parse(until) }
  // The grammar of RFC 3339 allows what Date does not, such as a leap second.
  for (const [property, at] of Object.entries(times))
    if (Number.isNaN(at))
      errors.push(fieldError(`/filter/${property}`, 'wrong_format', 'is no point in time'))
  if (times.since !== undefined && times.until !== undefined && times.until <= times.since)
    errors.push(fieldError('/filter/until', 'too_small', 'must be later than since'))
  if (errors.length > 0) return { kind: 'invalid', errors }
  return {
    kind: 'ok',
    filter: {
      ...present(names),
      ...(recipients && { recipients: recipients.map(canonicalRecipient) }),
      ...(notificationIds && { notifications: notificationIds }),
      ...(deliveryIds && { deliveries: deliveryIds }),
      ...(since !== undefined && { since: new Date(since).toISOString() }),
      ...(until !== undefined && { until: new Date(until).toISOString() }),
    },
  }
}
