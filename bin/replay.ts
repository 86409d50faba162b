import { createInterface } from 'node:readline/promises'
import { systemClock as clock } from '../core/clock.ts'
import type { replaySettings } from '../core/settings/roles.ts'
import type { Settings } from '../core/settings/setting.ts'
import { StartRefused } from '../core/settings/start-refused.ts'
import { plain } from '../deploy/dev/terminal/terminal.ts'
import { readRecipient } from './recipient.ts'
import { type DryRun, openReplayApi, type ReplayApi } from './replay/api.ts'
import { followReplay, summaryOf } from './replay/follow.ts'

type ReplaySettings = Settings<typeof replaySettings>

/** Exit code of shells after SIGINT. */
const interrupted = 130

/**
 * `carillon replay`: says what would be replayed, asks, starts the replay and shows how far it is. Ends with exit code 0 when it is
 * completed. Throws StartRefused.
 */
export async function replay(settings: ReplaySettings): Promise<void> {
  const api = openReplayApi(settings.api)
  const { follow, resume, cancel } = settings
  if (cancel !== undefined) return line(summaryOf(await api.cancel(cancel)))
  if (resume !== undefined) return watch(api, (await api.resume(resume)).id)
  if (follow !== undefined) return watch(api, follow)

  const filter = filterOf(settings)
  const found = await api.dryRun(filter)
  for (const text of describe(found)) line(text)
  if (settings.dryRun || found.matched === 0) return
  if (!settings.yes && !(await isWanted(found, settings))) return line('Nothing is replayed.')
  const { rate, limit } = settings
  const { id } = await api.create({ filter, ...(rate && { rate }), ...(limit && { limit }) })
  await watch(api, id)
}

async function watch(api: ReplayApi, id: string): Promise<void> {
  const stop = new AbortController()
  const end = () => stop.abort()
  process.once('SIGINT', end)
  const state = await followReplay(id, { api, output: process.stdout, clock }, stop.signal).finally(() =>
    process.off('SIGINT', end),
  )
  const again = (verb: string) => `carillon replay --${verb} ${id} --api ${api.url}`
  if (stop.signal.aborted && (state.status === 'pending' || state.status === 'running')) {
    line(`${id} goes on. To look again: ${again('follow')}. To stop it: ${again('cancel')}`)
    process.exitCode = interrupted
    return
  }
  line(plain(summaryOf(state), 500))
  if (state.status === 'paused') line(`To let it go on: ${again('resume')}`)
  if (state.status !== 'completed') process.exitCode = 1
}

function filterOf(settings: ReplaySettings): object {
  const { channels, reasons, templates, categories, notifications, deliveries, since, until } = settings
  const users = settings.users?.map((id) => ({ user_id: id })) ?? []
  const addresses = settings.recipients?.map((text) => readRecipient(text, 'recipient')) ?? []
  const recipients = [...users, ...addresses]
  return {
    ...(channels && { channels }),
    ...(reasons && { reasons }),
    ...(templates && { templates }),
    ...(categories && { categories }),
    ...(recipients.length > 0 && { recipients }),
    ...(notifications && { notifications }),
    ...(deliveries && { deliveries }),
    ...(since !== undefined && { since: new Date(since).toISOString() }),
    ...(until !== undefined && { until: new Date(until).toISOString() }),
  }
}

/** What a dry run found, for people. What others wrote loses all that a terminal would act upon. */
function describe({ matched, expired, waiting, breakdown, examples }: DryRun): string[] {
  if (matched === 0) return ['No dead letter fits.']
  const rows = breakdown.map(
    ({ channel, reason = '', count }) => `  ${String(count).padStart(8)}  ${channel}  ${reason}`,
  )
  const shown = examples.map(({ delivery, recipient, last_error: error }) => {
    const said =
      error === undefined ? '' : `: ${[error.code ?? error.outcome, error.detail].filter(Boolean).join(': ')}`
    return `  ${delivery} to ${plain(Object.values(recipient).join(' '))}${plain(said, 200)}`
  })
  return [
    `${matched} dead letter${matched === 1 ? '' : 's'}:`,
    ...rows,
    ...(expired > 0
      ? [`${expired} of them ${expired === 1 ? 'has' : 'have'} expired and would be left out.`]
      : []),
    ...(waiting > 0
      ? [
          `${waiting} of them ${waiting === 1 ? 'waits' : 'wait'} for the topic of dead letters, and would be left out until it takes ${waiting === 1 ? 'it' : 'them'}.`,
        ]
      : []),
    'For example:',
    ...shown,
  ]
}

async function isWanted({ matched }: DryRun, { limit = Infinity }: ReplaySettings): Promise<boolean> {
  if (!process.stdin.isTTY) throw new StartRefused('--yes: is needed where there is no terminal to ask on', 2)
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await terminal.question(`Replay ${Math.min(matched, limit)} of them? [y/N] `)
    return /^y(es)?$/i.test(answer.trim())
  } finally {
    terminal.close()
  }
}

function line(text: string): void {
  process.stdout.write(`${text}\n`)
}
