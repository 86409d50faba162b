import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { MemoryCluster } from '../../test/simulation/memory-broker/cluster.ts'
import type { Broker, RecordToProduce, TopicSpec } from '../broker/broker.ts'
import { installTopicSpecs } from '../broker/topic-specs.ts'
import { systemClock } from '../clock.ts'
import { ownershipTopic } from '../notification/topics.ts'
import { createLogger } from '../observability/logger.ts'
import { claimPrefix, PrefixRefused } from './claim-prefix.ts'
import { deleteOwnedTopics, ensureOwnedTopics } from './owned-topics.ts'
import type { Ownership } from './ownership.ts'
import { creatingMark, installRecord, markRecord, type TopicMark } from './records.ts'

const prefix = 'carillon'
const us = { id: 'ours', name: 'us' }
const them = { id: 'theirs', name: 'them' }
const channel = 'shop/email'
const spec: TopicSpec = { name: 't', partitions: 3, replicas: 1, config: { 'retention.ms': '3600000' } }
const signal = () => AbortSignal.timeout(10_000)

let broker: Broker
let log: string[]

beforeEach(() => {
  log = []
  broker = new MemoryCluster({ clock: systemClock, gaps: false }).open({
    call: async (_name, effect) => Promise.resolve().then(effect),
    push: (handle) => void setImmediate(handle),
  })
})

async function claim(install = us, takeOverFrom?: string): Promise<Ownership> {
  const logger = createLogger({ level: 'WARNING', destination: { write: (line) => void log.push(line) } })
  const parts = { broker, logger, beforeWrite: () => {} }
  const ownership = await claimPrefix({ prefix, install, takeOverFrom, replicas: 1 }, parts, signal())
  onTestFinished(() => ownership.close())
  return ownership
}
const topics = () => broker.admin.listTopics('')

describe('a prefix', () => {
  it('is of who claims it first, also when that one comes again', async () => {
    await claim()
    await claim()
    await expect(claim(them)).rejects.toThrow('the prefix carillon belongs to another install, us')
  })

  it('passes to who takes it over, with its marks, and the former one reads so', async () => {
    const former = await claim()
    await former.mark([['t', { state: 'created', channel }]], signal())
    const heir = await claim(them, 'ours')
    expect([...heir.marks.keys()]).toEqual(['t'])
    await expect.poll(() => former.install).toEqual(them)
    await expect(claim()).rejects.toThrow(PrefixRefused)
  })

  it('is not claimed where there are topics of an install, or records of anybody', async () => {
    await broker.admin.createTopics(installTopicSpecs(prefix, 1).slice(0, 1))
    await expect(claim()).rejects.toThrow('no install is recorded for the prefix carillon')
    expect(await topics()).toEqual([`${prefix}.requests`])
    await broker.admin.createTopics([{ ...spec, name: ownershipTopic(prefix) }])
    await broker.producer.produce([{ topic: ownershipTopic(prefix), key: 'x', value: Buffer.from('x') }])
    await expect(claim()).rejects.toThrow(`topic ${ownershipTopic(prefix)} is there`)
    await claim(us, 'unrecorded')
  })

  it.each<[string, (real: Broker, rival: RecordToProduce) => Partial<Broker>]>([
    [
      'before',
      ({ admin, producer }, rival) => ({
        admin: {
          ...admin,
          async createTopics(specs) {
            const existing = await admin.createTopics(specs)
            await producer.produce([rival])
            return existing
          },
        },
      }),
    ],
    [
      'after',
      ({ producer }, rival) => ({
        producer: { produce: (records) => producer.produce([...records, rival]) },
      }),
    ],
  ])('is not claimed where somebody writes himself down a moment %s', async (_when, part) => {
    broker = { ...broker, ...part(broker, installRecord(prefix, them)) }
    await expect(claim()).rejects.toThrow('the prefix carillon belongs to another install, them')
  })

  it('is claimed by who was interrupted before it had said so', async () => {
    await broker.admin.createTopics([{ ...spec, name: ownershipTopic(prefix) }])
    expect((await claim()).install).toEqual(us)
  })
})

describe('marks', () => {
  it('are not undone by one that begins to create what was created', async () => {
    const ownership = await claim()
    const created: TopicMark = { state: 'created', channel }
    await ownership.mark([['t', created]], signal())
    await broker.producer.produce([markRecord(prefix, 't', creatingMark(channel, spec))])
    await ownership.mark([['later', created]], signal())
    expect(ownership.marks.get('t')).toEqual(created)
  })

  it('that cannot be read are told, and count for nothing', async () => {
    const ownership = await claim()
    const record = markRecord(prefix, 't', { state: 'created', channel })
    await broker.producer.produce([
      { ...record, value: Buffer.from('{"state":"borrowed","channel":"shop/email"}') },
    ])
    await expect.poll(() => log).toHaveLength(1)
    expect(ownership.marks.size).toBe(0)
  })
})

describe('topics', () => {
  const ensure = (ownership: Ownership, admin = broker.admin) =>
    ensureOwnedTopics([spec], { admin, ownership, channel, adopts: false }, signal())

  it('are announced, made and confirmed', async () => {
    const ownership = await claim()
    const states: unknown[] = []
    ownership.onChange(() => states.push(ownership.marks.get('t')?.state))
    expect(await ensure(ownership)).toMatchObject({ kind: 'owned', topics: [{ name: 't' }], problems: [] })
    expect(states).toEqual(['creating', 'created'])
    expect(await ensure(ownership)).toMatchObject({ kind: 'owned' })
    expect(states).toHaveLength(2)
  })

  it.each([
    ['before it was made', false],
    ['before it was confirmed', true],
  ])('are known after an end %s', async (_when, isMade) => {
    const ownership = await claim()
    await ownership.mark([['t', creatingMark(channel, spec)]], signal())
    if (isMade) await broker.admin.createTopics([spec])
    expect(await ensure(ownership)).toMatchObject({ kind: 'owned' })
    expect(ownership.marks.get('t')).toEqual({ state: 'created', channel })
  })

  it.each<[string, TopicMark | undefined]>([
    ['at the first try', undefined],
    ['at a later one', creatingMark(channel, spec)],
  ])('are not ours when somebody makes them between look and making, %s', async (_when, before) => {
    const ownership = await claim()
    await ownership.mark([['t', before]], signal())
    const late = {
      ...broker.admin,
      createTopics: async (specs: readonly TopicSpec[]) => {
        await broker.admin.createTopics([{ ...spec, partitions: 1 }])
        return broker.admin.createTopics(specs)
      },
    }
    expect(await ensure(ownership, late)).toMatchObject({ kind: 'refused' })
    expect(ownership.marks.get('t')).toEqual(before)
    expect(await ensure(ownership)).toMatchObject({ kind: 'refused' })
    expect(await broker.admin.describeTopics(['t'])).toMatchObject([{ partitions: 1 }])
  })

  it('go when their channel does, but for those that were adopted, or that another channel has', async () => {
    const ownership = await claim()
    const names = ['made', 'begun', 'adopted', 'taken', 'other']
    await broker.admin.createTopics(names.map((name) => ({ ...spec, name })))
    const created: TopicMark = { state: 'created', channel }
    await ownership.mark(
      [
        ['made', created],
        ['begun', creatingMark(channel, spec)],
        ['adopted', { state: 'adopted', channel }],
        ['taken', created],
        ['other', { state: 'created', channel: 'shop/other' }],
        ['gone', created],
      ],
      signal(),
    )
    const parts = { admin: broker.admin, ownership, taken: new Set(['taken']) }
    expect(await deleteOwnedTopics(channel, parts, signal())).toEqual({ left: ['adopted'] })
    expect((await topics()).filter((name) => names.includes(name)).toSorted()).toEqual([
      'adopted',
      'other',
      'taken',
    ])
    expect([...ownership.marks.keys()].toSorted()).toEqual(['other', 'taken'])
  })
})
