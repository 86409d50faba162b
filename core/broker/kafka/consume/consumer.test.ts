import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BrokerError } from '../../broker.ts'
import { MemberAssignment } from '../kafkajs.ts'
import type { TopicPlace } from '../wire/metadata.ts'
import type { Api } from '../wire/request.ts'
import type { Wire } from '../wire/wire.ts'
import { KafkaConsumer } from './consumer.ts'

const NOT_LEADER_FOR_PARTITION = 6
const OFFSET_OUT_OF_RANGE = 1
const GROUP_LOAD_IN_PROGRESS = 14
const NOT_COORDINATOR_FOR_GROUP = 16
const ILLEGAL_GENERATION = 22
const UNKNOWN_MEMBER_ID = 25
const REBALANCE_IN_PROGRESS = 27

interface Asked {
  node: number
  api: Api
  args: Record<string, unknown>
}

/** One topic of two partitions, and a group of one member, whose answers the tests decide. */
class FakeCluster {
  readonly asked: Asked[] = []
  readonly log: Record<number, number[]> = { 0: [], 1: [] }
  readonly beginning: Record<number, number> = { 0: 0, 1: 0 }
  readonly committed: Record<number, number> = { 0: -1, 1: -1 }
  readonly fetchErrors: Record<number, number> = {}
  leaders = [1, 2]
  coordinator = 1
  generation = 0
  /** Error codes to answer next, once each. */
  readonly errors: Partial<Record<Api, number[]>> = {}

  readonly wire = {
    locate: () => Promise.resolve(new Map<string, TopicPlace>([['t', this.#place()]])),
    coordinator: () => Promise.resolve(this.coordinator),
    ask: async (node: number, api: Api, args: Record<string, unknown>) => {
      this.asked.push({ node, api, args })
      await Promise.resolve()
      const errorCode = this.errors[api]?.shift() ?? 0
      return this.#answers[api]!(errorCode, args)
    },
    close: () => Promise.resolve(),
  } as unknown as Wire

  count(api: Api): number {
    return this.asked.filter((asked) => asked.api === api).length
  }

  last(api: Api): Asked {
    return this.asked.findLast((asked) => asked.api === api)!
  }

  #place(): TopicPlace {
    const partitions = this.leaders.map((leader, partition) => ({ partition, leader, replicas: 1 }))
    return { error: 0, partitions }
  }

  readonly #answers: Partial<Record<Api, (errorCode: number, args: Record<string, unknown>) => unknown>> = {
    JoinGroup: (errorCode) => {
      this.generation += 1
      return { errorCode, generationId: this.generation, memberId: 'me', leaderId: 'another', members: [] }
    },
    SyncGroup: (errorCode) => ({
      errorCode,
      memberAssignment: MemberAssignment.encode({
        version: 0,
        assignment: { t: [0, 1] },
        userData: Buffer.alloc(0),
      }),
    }),
    Heartbeat: (errorCode) => ({ errorCode }),
    LeaveGroup: (errorCode) => ({ errorCode }),
    OffsetFetch: (errorCode) => ({
      errorCode,
      responses: [
        { topic: 't', partitions: this.#each((partition) => ({ offset: this.committed[partition] })) },
      ],
    }),
    ListOffsets: (_, { topics }) => ({
      responses: partitionsOf(topics).map(({ partition }) => ({
        topic: 't',
        partitions: [{ partition, errorCode: 0, offset: String(this.beginning[partition]) }],
      })),
    }),
    OffsetCommit: (errorCode) => ({ responses: [{ topic: 't', partitions: [{ partition: 0, errorCode }] }] }),
    Fetch: async (_, { topics }) => {
      await new Promise((resolve) => setTimeout(resolve, 10))
      return {
        responses: partitionsOf(topics).map(({ partition, fetchOffset }) => ({
          topicName: 't',
          partitions: [this.#fetched(partition, Number(fetchOffset))],
        })),
      }
    },
  }

  #fetched(partition: number, position: number) {
    const beginning = this.beginning[partition]!
    const end = Math.max(beginning, (this.log[partition]!.at(-1) ?? -1) + 1)
    const outOfRange = position < beginning || position > end ? OFFSET_OUT_OF_RANGE : 0
    const errorCode = this.fetchErrors[partition] ?? outOfRange
    const offsets = errorCode === 0 ? this.log[partition]!.filter((offset) => offset >= position) : []
    const messages = offsets.map((offset) => ({
      offset: String(offset),
      timestamp: '0',
      key: null,
      value: Buffer.from(String(offset)),
      headers: {},
    }))
    return { partition, errorCode, abortedTransactions: [], messages }
  }

  #each(present: (partition: number) => object) {
    return [0, 1].map((partition) => ({ partition, errorCode: 0, ...present(partition) }))
  }
}

function partitionsOf(topics: unknown): { partition: number; fetchOffset: string }[] {
  return (topics as { partitions: { partition: number; fetchOffset: string }[] }[]).flatMap(
    ({ partitions }) => partitions,
  )
}

describe('the consumer for Kafka', () => {
  let cluster: FakeCluster
  let consumer: KafkaConsumer
  let events: string[]

  beforeEach(async () => {
    vi.useFakeTimers()
    cluster = new FakeCluster()
    events = []
    consumer = new KafkaConsumer({
      wire: cluster.wire,
      group: 'g',
      topics: ['t'],
      handlers: {
        onAssigned: ({ epoch }) => events.push(`assigned ${epoch}`),
        onRevoked: (epoch) => events.push(`revoked ${epoch}`),
        onRecords: ({ epoch, partition, records }) =>
          events.push(`${partition}: ${records.map(({ offset }) => offset).join()} in ${epoch}`),
        onError: ({ message }: BrokerError) => events.push(message),
        onRecovered: () => events.push('recovered'),
      },
      onStopped: () => {},
    })
  })
  afterEach(async () => {
    const stopped = consumer.stop()
    await vi.advanceTimersByTimeAsync(1_000)
    await stopped
    vi.useRealTimers()
  })

  async function start(): Promise<void> {
    await consumer.start()
    await vi.advanceTimersByTimeAsync(50)
  }

  it.each([REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID])(
    'joins again when a heartbeat is answered with %i, reads from what is committed, and says nothing',
    async (code) => {
      cluster.log[0] = [0, 1, 2]
      await start()
      cluster.committed[0] = 1
      cluster.errors.Heartbeat = [code]
      await vi.advanceTimersByTimeAsync(1_100)

      expect(events).toEqual(['assigned 1', '0: 0,1,2 in 1', 'revoked 1', 'assigned 2', '0: 1,2 in 2'])
    },
  )

  it('joins as somebody new when the group has forgotten it', async () => {
    await start()
    cluster.errors.Heartbeat = [UNKNOWN_MEMBER_ID]
    await vi.advanceTimersByTimeAsync(1_100)
    expect(cluster.last('JoinGroup').args['memberId']).toBe('')
  })

  it('commits under the generation of the epoch, and says so when the group has moved on', async () => {
    await start()
    cluster.errors.OffsetCommit = [ILLEGAL_GENERATION]
    const offsets = [{ topic: 't', partition: 0, offset: 7 }]

    await expect(consumer.commit(1, offsets)).rejects.toMatchObject({ code: 'stale_epoch' })
    await consumer.commit(1, offsets)

    expect(cluster.last('OffsetCommit').args).toMatchObject({ groupGenerationId: 1, memberId: 'me' })
  })

  it('finds the coordinator again when it has moved', async () => {
    await start()
    cluster.coordinator = 2
    cluster.errors.OffsetCommit = [NOT_COORDINATOR_FOR_GROUP, GROUP_LOAD_IN_PROGRESS]

    const committed = consumer.commit(1, [{ topic: 't', partition: 0, offset: 7 }])
    await vi.advanceTimersByTimeAsync(500)
    await committed

    expect(cluster.asked.filter(({ api }) => api === 'OffsetCommit').map(({ node }) => node)).toEqual([
      1, 2, 2,
    ])
  })

  it('reads on elsewhere while one partition cannot be read', async () => {
    cluster.leaders = [1, 1]
    cluster.fetchErrors[0] = NOT_LEADER_FOR_PARTITION
    await start()
    await vi.advanceTimersByTimeAsync(3_000)
    cluster.log[1] = [5]
    await vi.advanceTimersByTimeAsync(50)
    expect(events).toContain('1: 5 in 1')

    cluster.log[0] = [3]
    delete cluster.fetchErrors[0]
    await vi.advanceTimersByTimeAsync(2_000)
    expect(events).toContain('0: 3 in 1')
  })

  it('says that it works again although there is nothing to read', async () => {
    cluster.fetchErrors[0] = NOT_LEADER_FOR_PARTITION
    await start()
    await vi.advanceTimersByTimeAsync(3_000)
    expect(events).toContain('Kafka answers topic t: NOT_LEADER_FOR_PARTITION')
    expect(events).not.toContain('recovered')

    delete cluster.fetchErrors[0]
    await vi.advanceTimersByTimeAsync(2_000)
    expect(events.filter((event) => event === 'recovered')).toHaveLength(1)
  })

  it('goes on from the beginning of what is left when its position is gone', async () => {
    cluster.committed[0] = 2
    cluster.beginning[0] = 8
    cluster.log[0] = [8, 9]
    await start()
    expect(events).toEqual(['assigned 1', '0: 8,9 in 1'])
  })

  it('reads a log that was made anew from its beginning', async () => {
    cluster.log[0] = [0, 1, 2]
    await start()
    cluster.log[0] = [0]
    await vi.advanceTimersByTimeAsync(500)
    expect(events).toEqual(['assigned 1', '0: 0,1,2 in 1', '0: 0 in 1'])
  })

  it('drops what a fetch brings for a partition that was paused meanwhile, and reads it again later', async () => {
    await start()
    consumer.pause([{ topic: 't', partition: 0 }])
    cluster.log[0] = [0, 1]
    await vi.advanceTimersByTimeAsync(500)
    expect(events).toEqual(['assigned 1'])

    consumer.resume([{ topic: 't', partition: 0 }])
    await vi.advanceTimersByTimeAsync(100)
    expect(events).toEqual(['assigned 1', '0: 0,1 in 1'])
  })

  it('leaves its group at its stop', async () => {
    await start()
    const stopped = consumer.stop()
    await vi.advanceTimersByTimeAsync(500)
    await stopped
    expect(cluster.last('LeaveGroup').args).toMatchObject({ groupId: 'g', memberId: 'me' })
    expect(events.at(-1)).toBe('revoked 1')
  })
})
