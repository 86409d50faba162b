import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { MemoryCluster } from '../../test/simulation/memory-broker/cluster.ts'
import type { Broker, RecordToProduce, TopicSpec } from '../broker/broker.ts'
import { installTopicSpecs } from '../broker/topic-specs.ts'
import { systemClock } from '../clock.ts'
import { ownershipTopic } from '../notification/topics.ts'
import { createLogger } from '../observability/logger.ts'
import { claimPrefix, PrefixRefused } from './claim-prefix.ts'
import { deleteOwnedTopics, ensureOwnedTopics } from './owned-topics.ts'
import { type Ownership, PrefixTaken } from './ownership.ts'
import { creatingMark, installRecord, markRecord, type TopicMark } from './records.ts'

const prefix = 'carillon'
const us = { id: 'ours', name: 'us' }
const them = { id: 'theirs', name: 'them' }
const channel = 'shop/email'
const owner = { channel, deletionPolicy: 'Delete' } as const
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
    await former.mark([['t', { state: 'created', ...owner }]], signal())
    const heir = await claim(them, 'ours')
    expect([...heir.marks.keys()]).toEqual(['t'])
    await expect.poll(() => former.isOurs).toBe(false)
    await expect(former.mark([['late', { state: 'created', ...owner }]], signal())).rejects.toThrow(
      'the prefix carillon was taken over by them',
    )
    expect([...heir.marks.keys()]).toEqual(['t'])
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
    expect((await claim()).isOurs).toBe(true)
  })
})

describe('marks', () => {
  it('are not undone by one that begins to create what was created', async () => {
    const ownership = await claim()
    const created: TopicMark = { state: 'created', ...owner }
    await ownership.mark([['t', created]], signal())
    await broker.producer.produce([markRecord(prefix, 't', creatingMark(owner, spec))])
    await ownership.mark([['later', created]], signal())
    expect(ownership.marks.get('t')).toEqual(created)
  })

  it('that cannot be read are told, and count for nothing', async () => {
    const ownership = await claim()
    const record = markRecord(prefix, 't', { state: 'created', ...owner })
    await broker.producer.produce([
      { ...record, value: Buffer.from('{"state":"borrowed","channel":"shop/email"}') },
    ])
    await expect.poll(() => log).toHaveLength(1)
    expect(ownership.marks.size).toBe(0)
  })
})

describe('topics', () => {
  const ensure = (
    ownership: Ownership,
    admin = broker.admin,
    deletionPolicy: TopicMark['deletionPolicy'] = 'Delete',
  ) => ensureOwnedTopics([spec], { admin, ownership, channel, deletionPolicy, adopts: false }, signal())

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
    await ownership.mark([['t', creatingMark(owner, spec)]], signal())
    if (isMade) await broker.admin.createTopics([spec])
    expect(await ensure(ownership)).toMatchObject({ kind: 'owned' })
    expect(ownership.marks.get('t')).toEqual({ state: 'created', ...owner })
  })

  it.each<[string, TopicMark | undefined]>([
    ['at the first try', undefined],
    ['at a later one', creatingMark(owner, spec)],
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
    const created: TopicMark = { state: 'created', ...owner }
    await ownership.mark(
      [
        ['made', created],
        ['begun', creatingMark(owner, spec)],
        ['adopted', { state: 'adopted', ...owner }],
        ['taken', created],
        ['other', { ...created, channel: 'shop/other' }],
        ['gone', created],
      ],
      signal(),
    )
    const parts = { admin: broker.admin, ownership, taken: () => new Set(['taken']) }
    expect(await deleteOwnedTopics(channel, parts, signal())).toEqual({ left: ['adopted'] })
    expect((await topics()).filter((name) => names.includes(name)).toSorted()).toEqual([
      'adopted',
      'other',
      'taken',
    ])
    expect([...ownership.marks.keys()].toSorted()).toEqual(['other', 'taken'])
  })

  it('stay with their marks when they are to be kept, also those of a tier that is gone', async () => {
    const ownership = await claim()
    const tier = { ...spec, name: 'tier' }
    await broker.admin.createTopics([tier])
    await ownership.mark([['tier', { state: 'created', ...owner }]], signal())
    await ensure(ownership)
    await ensure(ownership, broker.admin, 'Retain')
    const parts = { admin: broker.admin, ownership, taken: () => new Set<string>() }
    expect(await deleteOwnedTopics(channel, parts, signal())).toEqual({ left: [] })
    expect(await broker.admin.describeTopics(['t', 'tier'])).toHaveLength(2)
    expect([...ownership.marks.keys()].toSorted()).toEqual(['t', 'tier'])
  })

  it('are kept from now on also while one of them is refused', async () => {
    const ownership = await claim()
    await broker.admin.createTopics([spec])
    await ownership.mark([['tier', { state: 'created', ...owner }]], signal())
    expect(await ensure(ownership, broker.admin, 'Retain')).toMatchObject({ kind: 'refused' })
    expect(ownership.marks.get('tier')).toMatchObject({ deletionPolicy: 'Retain' })
  })

  it.each<[string, Partial<TopicSpec> | undefined]>([
    ['made', undefined],
    ['grown', { partitions: 1 }],
    ['configured', { config: {} }],
  ])('are not %s by an install that was taken over meanwhile', async (_what, before) => {
    const ownership = await claim()
    await ensure(ownership)
    const gone = before === undefined
    await broker.admin.deleteTopics(['t'])
    if (!gone) await broker.admin.createTopics([{ ...spec, ...before }])
    const takenOver = {
      ...broker.admin,
      async describeTopics(names: readonly string[]) {
        const found = await broker.admin.describeTopics(names)
        await broker.producer.produce([installRecord(prefix, them)])
        await expect.poll(() => ownership.isOurs).toBe(false)
        return found
      },
    }
    await expect(ensure(ownership, takenOver)).rejects.toThrow(PrefixTaken)
    expect(await broker.admin.describeTopics(['t'])).toEqual(gone ? [] : [{ ...spec, ...before }])
  })

  it.each(['before they are deleted', 'while they are'])(
    'are of the channel that comes for them %s',
    async (moment) => {
      const ownership = await claim()
      await ensure(ownership)
      const heir = { ...owner, channel: 'shop/heir' }
      const taken = new Set<string>()
      const come = async () => {
        taken.add('t')
        await ownership.mark([['t', { state: 'created', ...heir }]], signal())
      }
      const admin = {
        async describeTopics(names: readonly string[]) {
          const found = await broker.admin.describeTopics(names)
          if (moment === 'before they are deleted') await come()
          return found
        },
        async deleteTopics(names: readonly string[]) {
          await broker.admin.deleteTopics(names)
          if (moment === 'while they are') await come()
        },
      }
      await deleteOwnedTopics(channel, { admin, ownership, taken: () => taken }, signal())
      expect(ownership.marks.get('t')).toEqual({ state: 'created', ...heir })
      expect(await topics()).toEqual(
        moment === 'while they are' ? [ownershipTopic(prefix)] : [ownershipTopic(prefix), 't'],
      )
    },
  )
})
