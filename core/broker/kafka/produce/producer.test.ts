import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RecordToProduce } from '../../broker.ts'
import type { TopicPlace } from '../wire/metadata.ts'
import type { Wire } from '../wire/wire.ts'
import { KafkaProducer } from './producer.ts'

const NOT_ENOUGH_REPLICAS = 19
const TOPIC_AUTHORIZATION_FAILED = 29
const MESSAGE_TOO_LARGE = 10
const INVALID_RECORD = 87

interface Request {
  leader: number
  /** Values by partition, in order. */
  sent: Record<number, string[]>
}

type Answer = Record<number, number | 'nothing'>

/**
 * Brokers whose answers the tests decide: an error code by partition (absent: appended), `nothing` for a partition that the answer leaves
 * out, or a rejection for an answer that is lost.
 */
class FakeCluster {
  readonly requests: Request[] = []
  readonly log: string[] = []
  leaders = [1, 1, 2]
  respond: (request: Request) => Promise<Answer> | Answer = () => ({})

  located = 0

  readonly wire = {
    locate: () => {
      this.located += 1
      return Promise.resolve(new Map<string, TopicPlace>([['t', this.#place()]]))
    },
    ask: async (leader: number, _api: string, args: { topicData: TopicData[] }) => {
      const partitions = args.topicData.flatMap((topic) => topic.partitions)
      const sent = Object.fromEntries(
        partitions.map(({ partition, messages }) => [partition, messages.map(({ value }) => String(value))]),
      )
      const request = { leader, sent }
      this.requests.push(request)
      const answer = await this.respond(request)
      const told = partitions.filter(({ partition }) => answer[partition] !== 'nothing')
      return {
        topics: [
          {
            topicName: 't',
            partitions: told.map(({ partition }) => {
              const errorCode = answer[partition] ?? 0
              const baseOffset = String(this.log.length)
              if (errorCode === 0) this.log.push(...sent[partition]!)
              return { partition, errorCode, baseOffset }
            }),
          },
        ],
      }
    },
  } as unknown as Wire

  #place(): TopicPlace {
    const partitions = this.leaders.map((leader, partition) => ({ partition, leader, replicas: 3 }))
    return { error: 0, partitions }
  }
}

interface TopicData {
  partitions: { partition: number; messages: { value: Buffer }[] }[]
}

describe('the producer for Kafka', () => {
  let cluster: FakeCluster
  let producer: KafkaProducer

  beforeEach(() => {
    vi.useFakeTimers()
    cluster = new FakeCluster()
    producer = new KafkaProducer(cluster.wire)
  })
  afterEach(() => vi.useRealTimers())

  const record = (partition: number, value: string): RecordToProduce => ({
    topic: 't',
    partition,
    key: null,
    value: Buffer.from(value),
  })
  const produce = (partition: number, value: string) => producer.produce([record(partition, value)])

  it('sends again what an answer says nothing about, and only that', async () => {
    let answers = 0
    cluster.respond = () => (answers++ === 0 ? { 1: 'nothing' } : {})

    const produced = producer.produce([record(0, 'a'), record(1, 'b')])
    await vi.advanceTimersByTimeAsync(1_000)

    expect(await produced).toHaveLength(2)
    expect(cluster.requests.map(({ sent }) => sent)).toEqual([{ 0: ['a'], 1: ['b'] }, { 1: ['b'] }])
  })

  it('sends again what a lost answer leaves open', async () => {
    let answers = 0
    cluster.respond = () => (answers++ === 0 ? Promise.reject(new Error('closed')) : {})

    const produced = produce(0, 'a')
    await vi.advanceTimersByTimeAsync(1_000)

    await produced
    expect(cluster.requests).toHaveLength(2)
  })

  it('keeps the order of a partition through a retry', async () => {
    let answers = 0
    cluster.respond = () => (answers++ === 0 ? { 0: NOT_ENOUGH_REPLICAS } : {})

    const first = produce(0, 'a')
    await vi.advanceTimersByTimeAsync(10)
    const second = produce(0, 'b')
    await vi.advanceTimersByTimeAsync(1_000)

    await Promise.all([first, second])
    expect(cluster.log).toEqual(['a', 'b'])
  })

  it('has one request under way for a leader, and sends what comes meanwhile together', async () => {
    const held = Promise.withResolvers<Answer>()
    cluster.respond = () => held.promise
    const produced = [produce(0, 'a')]
    await vi.advanceTimersByTimeAsync(10)

    for (const value of ['b', 'c', 'd']) {
      produced.push(produce(0, value), produce(1, value))
      await vi.advanceTimersByTimeAsync(10)
    }
    expect(cluster.requests).toHaveLength(1)
    held.resolve({})
    await vi.advanceTimersByTimeAsync(100)

    await Promise.all(produced)
    expect(cluster.requests.map(({ sent }) => sent)).toEqual([
      { 0: ['a'] },
      { 0: ['b', 'c', 'd'], 1: ['b', 'c', 'd'] },
    ])
  })

  it('is not held up by a leader that does not answer, nor by a partition without one', async () => {
    cluster.leaders = [1, -1, 2]
    cluster.respond = ({ leader }) => (leader === 1 ? new Promise<Answer>(() => {}) : {})
    const stuck = Promise.allSettled([produce(0, 'a'), produce(1, 'b')])

    const produced = produce(2, 'c')
    await vi.advanceTimersByTimeAsync(200)

    await produced
    await vi.advanceTimersByTimeAsync(6_000)
    const refused = { status: 'rejected', reason: { code: 'unavailable' } }
    expect(await stuck).toMatchObject([refused, refused])
  })

  it('goes to the new leader once there is one', async () => {
    cluster.leaders = [-1, -1, -1]
    const produced = produce(0, 'a')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(cluster.requests).toEqual([])
    expect(cluster.located).toBeLessThan(15)

    cluster.leaders = [3, 3, 3]
    await vi.advanceTimersByTimeAsync(1_000)

    await produced
    expect(cluster.requests).toEqual([{ leader: 3, sent: { 0: ['a'] } }])
  })

  it('gives up after 5 s, and does not send later what nobody waits for', async () => {
    cluster.respond = () => ({ 0: NOT_ENOUGH_REPLICAS })
    const outcome = produce(0, 'a').catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(4_500)
    expect(cluster.requests.length).toBeGreaterThan(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await outcome).toMatchObject({ code: 'unavailable' })

    cluster.respond = () => ({})
    const next = produce(0, 'b')
    await vi.advanceTimersByTimeAsync(2_000)
    await next
    expect(cluster.log).toEqual(['b'])
  })

  it('rejects at once what may not be done, and nothing beside it', async () => {
    cluster.respond = () => ({ 0: TOPIC_AUTHORIZATION_FAILED })
    const outcomes = Promise.allSettled([produce(0, 'a'), produce(1, 'b')])
    await vi.advanceTimersByTimeAsync(10)
    expect(await outcomes).toMatchObject([{ reason: { code: 'unauthorized' } }, { status: 'fulfilled' }])
  })

  it('halves a batch that is too large until its records fit or one of them does not', async () => {
    const fits = (values: readonly string[]) => values.length <= 2 && !values.includes('huge')
    cluster.respond = ({ sent }) => (fits(sent[0]!) ? {} : { 0: MESSAGE_TOO_LARGE })
    const values = ['a', 'b', 'huge', 'c', 'd']

    const outcomes = Promise.allSettled(values.map((value) => produce(0, value)))
    await vi.advanceTimersByTimeAsync(1_000)

    expect((await outcomes).map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    expect(cluster.log).toEqual(['a', 'b', 'c', 'd'])
  })

  it('finds the one record that the broker takes for invalid, wherever it is, and has all others taken, once and in order', async () => {
    cluster.respond = ({ sent }) => (sent[0]!.includes('bad') ? { 0: INVALID_RECORD } : {})
    for (const place of [0, 37, 99]) {
      cluster.log.length = cluster.requests.length = 0
      const values = Array.from({ length: 100 }, (_, index) => (index === place ? 'bad' : String(index)))

      const outcomes = Promise.allSettled(values.map((value) => produce(0, value)))
      await vi.advanceTimersByTimeAsync(1_000)

      const refused = (await outcomes).filter(({ status }) => status === 'rejected')
      expect(refused).toMatchObject([{ reason: { code: 'invalid_record' } }])
      expect(cluster.log).toEqual(values.filter((value) => value !== 'bad'))
      expect(cluster.requests.length).toBeLessThan(40)
    }
  })

  it('says that its queue is full, and takes records again when they are through', async () => {
    const held = Promise.withResolvers<Answer>()
    cluster.respond = () => held.promise
    const many = (count: number) => producer.produce(Array.from({ length: count }, () => record(0, 'x')))
    const taken = many(20_000)

    await expect(many(1)).rejects.toMatchObject({ code: 'queue_full' })
    held.resolve({})
    await vi.advanceTimersByTimeAsync(1_000)

    await taken
    const next = many(1)
    await vi.advanceTimersByTimeAsync(100)
    await next
  })

  it('flushes at its close, and takes nothing more', async () => {
    const produced = produce(0, 'a')
    const closed = producer.close()
    await expect(produce(0, 'b')).rejects.toMatchObject({ code: 'closed' })
    await vi.advanceTimersByTimeAsync(100)
    await Promise.all([produced, closed])
    expect(cluster.log).toEqual(['a'])
  })
})
