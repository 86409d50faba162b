import { pino } from 'pino'
import { expect, test } from 'vitest'
import { systemClock } from '../../core/clock.ts'
import type { NotificationChannel } from '../../core/resources/channel.ts'
import { ChannelWorkers } from './channel-workers.ts'

/** A catalog that a test edits, and workers that say what happens to them. */
function setUp(channels: Record<string, { revision: string; suspend?: boolean }>) {
  const log: string[] = []
  const failing = new Map<string, number>()
  const enders: ((error: Error) => void)[] = []
  let changed = () => {}
  const catalog = {
    channels: () =>
      Object.entries(channels).map(([name, { revision, suspend = false }]) => ({
        revision,
        resource: {
          metadata: { namespace: 'default', name },
          spec: { suspend, revision },
        } as unknown as NotificationChannel,
      })),
    onChange(listener: () => void) {
      changed = listener
      return () => {
        changed = () => {}
      }
    },
  }
  const workers = new ChannelWorkers({
    catalog,
    clock: systemClock,
    logger: pino({ enabled: false }),
    start: async ({ metadata, spec }) => {
      const name = `${metadata.name} ${(spec as unknown as { revision: string }).revision}`
      const failures = failing.get(name) ?? 0
      failing.set(name, failures - 1)
      if (failures > 0) throw new Error('not now')
      log.push(`+${name}`)
      return {
        ready: () => true,
        failed: new Promise((resolve) => enders.push(resolve)),
        stop: async () => {
          await Promise.resolve()
          log.push(`-${name}`)
        },
      }
    },
  })
  const edit = (name: string, entry: { revision: string; suspend?: boolean } | undefined) => {
    if (entry === undefined) delete channels[name]
    else channels[name] = entry
    changed()
  }
  return { workers, log, failing, enders, edit }
}

test('a start that waits is called off by the stop, and told to nobody', async () => {
  const lines: string[] = []
  const workers = new ChannelWorkers({
    catalog: {
      channels: () => [
        {
          revision: '1',
          resource: { metadata: { namespace: 'default', name: 'sms' }, spec: {} } as NotificationChannel,
        },
      ],
      onChange: () => () => {},
    },
    clock: systemClock,
    logger: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    start: (_channel, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', () => reject(new Error('called off'))),
      ),
  })
  void workers.start()
  await workers.stop()
  expect(lines).toEqual([])
})

test('each channel has a worker; a suspended one has none', async () => {
  const { workers, log } = setUp({ email: { revision: '1' }, sms: { revision: '1', suspend: true } })
  expect(workers.ready()).toBe(false)
  await workers.start()
  expect(log).toEqual(['+email 1'])
  expect(workers.ready()).toBe(true)
  await workers.stop()
  expect(log).toEqual(['+email 1', '-email 1'])
})

test('a changed channel drains its worker before the next one starts; the others go on', async () => {
  const { workers, log, edit } = setUp({ email: { revision: '1' }, sms: { revision: '1' } })
  await workers.start()
  edit('email', { revision: '2' })
  expect(workers.ready()).toBe(false)
  await expect.poll(() => workers.ready()).toBe(true)
  expect(log.slice(2)).toEqual(['-email 1', '+email 2'])
  await workers.stop()
})

test('of many changes while a worker drains only the last is run', async () => {
  const { workers, log, edit } = setUp({ email: { revision: '1' } })
  await workers.start()
  for (const revision of ['2', '3', '4']) edit('email', { revision })
  await expect.poll(() => workers.ready()).toBe(true)
  expect(log).toEqual(['+email 1', '-email 1', '+email 4'])
  await workers.stop()
})

test('added, suspended, resumed, removed', async () => {
  const { workers, log, edit } = setUp({})
  await workers.start()
  edit('push', { revision: '1' })
  await expect.poll(() => log).toEqual(['+push 1'])
  edit('push', { revision: '2', suspend: true })
  await expect.poll(() => log).toEqual(['+push 1', '-push 1'])
  edit('push', { revision: '3' })
  await expect.poll(() => log.at(-1)).toBe('+push 3')
  edit('push', undefined)
  await expect.poll(() => log.at(-1)).toBe('-push 3')
  await workers.stop()
  expect(log).toHaveLength(4)
})

test('a worker that does not start is tried again and holds up no other, nor the stop', async () => {
  const { workers, log, failing } = setUp({
    email: { revision: '1' },
    sms: { revision: '1' },
    push: { revision: '1' },
  })
  failing.set('email 1', 1)
  failing.set('push 1', Infinity)
  const started = workers.start()
  await expect.poll(() => log).toEqual(['+sms 1'])
  expect(workers.ready()).toBe(false)
  await expect.poll(() => log).toEqual(['+sms 1', '+email 1'])
  await workers.stop()
  await started
  expect(log).toEqual(['+sms 1', '+email 1', '-sms 1', '-email 1'])
})

test('a worker that fails for good is told of', async () => {
  const { workers, enders } = setUp({ email: { revision: '1' }, sms: { revision: '1' } })
  await workers.start()
  enders[1]!(new Error('down for good'))
  expect((await workers.failed).message).toBe('down for good')
  await workers.stop()
})
