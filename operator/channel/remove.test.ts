import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import type { TopicSpec } from '../../core/broker/broker.ts'
import { systemClock } from '../../core/clock.ts'
import { claimPrefix } from '../../core/ownership/claim-prefix.ts'
import { ensureOwnedTopics } from '../../core/ownership/owned-topics.ts'
import { MemoryCluster } from '../../test/simulation/memory-broker/cluster.ts'
import { createRemover } from './remove.ts'

const spec: TopicSpec = { name: 't', partitions: 1, replicas: 1, config: {} }

/** A channel that is gone, its topic, and what the catalog says of it. */
async function setUp(deletionPolicy: 'Retain' | 'Delete', source?: string) {
  const broker = new MemoryCluster({ clock: systemClock, gaps: false }).open({
    call: async (_name, effect) => Promise.resolve().then(effect),
    push: (handle) => void setImmediate(handle),
  })
  const claim = { prefix: 'p', install: { id: 'us', name: 'us' }, takeOverFrom: undefined, replicas: 1 }
  const signal = AbortSignal.timeout(10_000)
  const parts = { broker, logger: pino({ level: 'silent' }), beforeWrite: () => {} }
  const ownership = await claimPrefix(claim, parts, signal)
  onTestFinished(() => ownership.close())
  const { admin } = broker
  const owner = { channel: 'shop/email', deletionPolicy, adopts: false }
  await ensureOwnedTopics([spec], { admin, ownership, ...owner }, signal)
  const removed: string[] = []
  const entry = source === undefined ? [] : [['NotificationChannel/shop/email', { source }]]
  const remove = createRemover({
    admin,
    ownership,
    catalog: { published: () => new Map(entry as never) },
    writer: { remove: async (keys: string[]) => void removed.push(...keys) } as never,
    children: [],
    takenTopics: () => new Set(),
    recordEvent: () => {},
  })
  await remove({ namespace: 'shop', name: 'email' }, signal)
  return { topics: (await admin.describeTopics(['t'])).map(({ name }) => name), removed }
}

it.each<['Retain' | 'Delete', string | undefined, string[]]>([
  ['Delete', 'kubernetes', []],
  ['Delete', undefined, []],
  ['Retain', 'kubernetes', ['t']],
  ['Retain', undefined, ['t']],
])('with deletionPolicy %s, published from %s, it leaves %j', async (policy, source, left) => {
  const { topics, removed } = await setUp(policy, source)
  expect(topics).toEqual(left)
  expect(removed).toEqual(['NotificationChannel/shop/email'])
})

it('leaves what was published from elsewhere alone', async () => {
  expect(await setUp('Delete', 'folder')).toEqual({ topics: ['t'], removed: [] })
})
