import { type Clock, sleep, systemClock, type Timers } from '../core/clock.ts'
import type { sendSettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import { plain } from '../deploy/dev/terminal/terminal.ts'
import { type Ask, askApi } from './api-client.ts'
import { readRecipient } from './recipient.ts'

type SendSettings = Settings<typeof sendSettings>

/** What this command reads of the API's answers; the OpenAPI document has all of it. */
interface Notification {
  id: string
  status: 'accepted' | 'processing' | 'completed' | 'completed_with_failures' | 'failed' | 'cancelled'
  deliveries?: Delivery[]
}

interface Delivery {
  channel: string
  recipient: Record<string, string>
  status: string
  reason?: string
  attempts: { outcome?: string; code?: string; detail?: string }[]
}

/** Milliseconds between looks. */
const lookEvery = 250

/**
 * `carillon send`: sends a notification through the API, and shows what becomes of each of its deliveries. Ends with exit code 1 where not all of it
 * was sent; what has not ended when the wait is over counts as on its way. Throws StartRefused.
 */
export async function send(settings: SendSettings): Promise<void> {
  const ask = askApi(settings.api)
  const { idempotencyKey: key } = settings
  const { id } = await ask<Notification>(
    'POST',
    '/v1/notifications',
    requestOf(settings),
    key === undefined ? {} : { 'idempotency-key': key },
  )
  line(`${id} accepted`)
  if (settings.wait === 0) return
  const { status, deliveries = [] } = await awaitEnd(id, settings.wait, { ask, clock: systemClock })
  for (const delivery of deliveries) line(`  ${describe(delivery)}`)
  line(isOver(status) ? `${id} ${status}` : `${id} ${status}: ${settings.api}/v1/notifications/${id}`)
  if (isOver(status) && status !== 'completed') process.exitCode = 1
}

function requestOf(settings: SendSettings): object {
  const { to, channels, template, locale, data, subject, text, category } = settings
  const content = { ...(subject && { subject }), ...(text && { text }) }
  return {
    to: to.map((recipient) => readRecipient(recipient, 'to')),
    ...(channels && { channels }),
    // What does not go together the API says better than we could.
    ...((template ?? locale) && {
      template: { ...(template && { id: template }), ...(locale && { locale }) },
    }),
    ...(Object.keys(content).length > 0 && { content }),
    ...(data && { data }),
    ...(category && { category }),
  }
}

const isOver = (status: Notification['status']) => status !== 'accepted' && status !== 'processing'

/** Looks at a notification until it has ended, or so many milliseconds have passed. */
async function awaitEnd(
  id: string,
  patience: number,
  { ask, clock }: { ask: Ask; clock: Clock & Timers },
): Promise<Notification> {
  const end = clock.monotonic() + patience
  for (;;) {
    const notification = await ask<Notification>('GET', `/v1/notifications/${id}`)
    if (isOver(notification.status) || clock.monotonic() >= end) return notification
    await sleep(clock, lookEvery)
  }
}

/** One line. What others wrote loses all that a terminal would act upon. */
function describe({ channel, recipient, status, reason, attempts }: Delivery): string {
  const { outcome, code, detail } = attempts.at(-1) ?? {}
  const said = outcome === 'sent' ? [] : [code ?? outcome, detail]
  const words = [reason, ...said].filter(Boolean).join(': ')
  const who = plain(Object.values(recipient).join(' '))
  return `${channel} to ${who}: ${status}${words ? ` (${plain(words, 200)})` : ''}`
}

function line(text: string): void {
  process.stdout.write(`${text}\n`)
}
