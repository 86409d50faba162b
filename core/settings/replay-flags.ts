import { z } from 'zod'
import type { Setting } from './setting.ts'
import { commaList, pointInTime } from './values.ts'

/** What `carillon replay` is to do: flags alone, since another command means other dead letters. */

const list = (flag: string, description: string): Setting<string[] | undefined> => ({
  flag,
  description: `${description}, separated by commas`,
  schema: commaList.optional(),
})
const point = (flag: string, description: string): Setting<number | undefined> => ({
  flag,
  description: `${description}: 2026-11-30T08:00:00Z, or 2h for two hours ago`,
  schema: pointInTime.optional(),
})
const count = (flag: string, description: string): Setting<number | undefined> => ({
  flag,
  description,
  schema: z
    .string()
    .regex(/^[1-9]\d{0,8}$/, 'must be a whole number from 1 up')
    .transform(Number)
    .optional(),
})
const replayId = (flag: string, description: string): Setting<string | undefined> => ({
  flag,
  description,
  schema: z
    .string()
    .regex(/^rpl_[0-9a-z]+$/, 'must be the id of a replay, rpl_…')
    .optional(),
})

export const replayFlags = {
  channels: list('channel', 'only dead letters of these channels'),
  reasons: list('reason', 'only with these reasons'),
  templates: list('template', 'only with these templates'),
  categories: list('category', 'only of these categories'),
  users: list('user', 'only to these users'),
  recipients: list('recipient', 'only to these addresses, such as email=ops@example.com'),
  notifications: list('notification', 'only of these notifications, ntf_…'),
  deliveries: list('delivery', 'only these deliveries, dlv_…'),
  since: point('since', 'only dead-lettered at or after this time'),
  until: point('until', 'only dead-lettered before this time'),
  rate: count('rate', 'records per second (50)'),
  limit: count('limit', 'replay so many at the most, to try with a few'),
  follow: replayId('follow', 'show how far this replay is, and start none'),
  resume: replayId('resume', 'let this paused replay go on'),
  cancel: replayId('cancel', 'cancel this replay'),
}
