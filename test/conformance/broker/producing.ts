import { describe, expect, it } from 'vitest'
import type { RecordToProduce } from '../../../core/broker/broker.ts'
import { partitionForKey } from '../../../core/broker/partitioner.ts'
import { type Bench, brokerError, texts, textOf } from './harness.ts'

export function describeProducing(bench: Bench): void {
  describe('producing', () => {
    it('answers the positions in the order of the records', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const record = (partition: number): RecordToProduce => ({
        topic,
        partition,
        key: null,
        value: Buffer.from('x'),
      })

      const positions = await broker.producer.produce([record(1), record(0), record(1), record(0)])

      expect(positions.map(({ partition }) => partition)).toEqual([1, 0, 1, 0])
      expect(positions[2]!.offset).toBeGreaterThan(positions[0]!.offset)
      expect(positions[3]!.offset).toBeGreaterThan(positions[1]!.offset)
      const stored = await bench.readAll(broker, topic)
      const position = ({ topic, partition, offset }: (typeof positions)[number]) =>
        `${topic} ${partition} ${offset}`
      expect(stored.map(position).toSorted()).toEqual(positions.map(position).toSorted())
    })

    it('answers an empty call', async () => {
      const broker = await bench.open()
      expect(await broker.producer.produce([])).toEqual([])
    })

    it('keeps the order of calls that do not wait for each other', async () => {
      const { broker, topic } = await bench.withTopic()
      const values = texts(300)

      await Promise.all(
        values.map((value) => broker.producer.produce([{ topic, key: 'k', value: Buffer.from(value) }])),
      )

      expect((await bench.readAll(broker, topic)).map(textOf)).toEqual(values)
    })

    it("chooses the partition of a key as Kafka's own clients do", async () => {
      const { broker, topic } = await bench.withTopic(7)
      const keys = [...texts(60, 'key-'), '', 'é', '\u{1F514}']

      const positions = await broker.producer.produce(
        keys.map((key) => ({ topic, key, value: Buffer.from('x') })),
      )

      expect(positions.map(({ partition }) => partition)).toEqual(keys.map((key) => partitionForKey(key, 7)))
    })

    it('finds a partition for a record that has neither key nor partition', async () => {
      const { broker, topic } = await bench.withTopic(3)
      const [position] = await broker.producer.produce([{ topic, key: null, value: Buffer.from('x') }])
      expect([0, 1, 2]).toContain(position!.partition)
    })

    it('brings back every byte of keys, values and headers', async () => {
      const { broker, topic } = await bench.withTopic()
      const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
      const records: RecordToProduce[] = [
        { topic, key: null, value: everyByte },
        { topic, key: '', value: Buffer.alloc(0) },
        { topic, key: 'é\u0000\u{1F514}', value: Buffer.from('x') },
        { topic, key: 'gone', value: null },
        { topic, key: 'h', value: Buffer.from('x'), headers: { a: '', ce_source: 'é\u0000"\\\u{1F514}' } },
        { topic, key: 'large', value: Buffer.alloc(700_000, everyByte) },
        { topic, key: 'last', value: Buffer.from([0]) },
      ]

      await broker.producer.produce(records)

      const stored = await bench.readAll(broker, topic)
      expect(stored.map(({ key, headers }) => ({ key, headers }))).toEqual(
        records.map(({ key, headers = {} }) => ({ key, headers })),
      )
      const hex = ({ value }: { value: Buffer | null }) => value?.toString('hex') ?? null
      expect(stored.map(hex)).toEqual(records.map(hex))
    })

    it('stamps a record with the time of its production', async () => {
      const { broker, topic } = await bench.withTopic()
      const before = Date.now()
      await broker.producer.produce([{ topic, key: null, value: Buffer.from('x') }])
      const after = Date.now()

      const [record] = await bench.readAll(broker, topic)

      expect(record!.timestamp).toBeGreaterThanOrEqual(before)
      expect(record!.timestamp).toBeLessThanOrEqual(after)
    })

    it('refuses a record above the size that the topic takes, and takes the next', async () => {
      const { broker, topic } = await bench.withTopic(1, { 'max.message.bytes': '10000' })

      await expect(
        broker.producer.produce([{ topic, key: null, value: Buffer.alloc(11_000) }]),
      ).rejects.toMatchObject(brokerError('record_too_large'))

      await broker.producer.produce([{ topic, key: null, value: Buffer.from('small') }])
      expect((await bench.readAll(broker, topic)).map(textOf)).toEqual(['small'])
    })

    it('refuses a record without a key for a compacted topic, and takes those of other calls beside it', async () => {
      const { broker, topic } = await bench.withTopic(1, { 'cleanup.policy': 'compact' })
      const values = texts(20)
      const keyOf = (index: number) => (index === 7 ? null : `k${index}`)

      const outcomes = await Promise.allSettled(
        values.map((value, index) =>
          broker.producer.produce([{ topic, key: keyOf(index), value: Buffer.from(value) }]),
        ),
      )

      const refused = outcomes.filter(({ status }) => status === 'rejected')
      expect(refused).toMatchObject([{ reason: brokerError('invalid_record') }])
      expect((await bench.readAll(broker, topic)).map(textOf)).toEqual(values.toSpliced(7, 1))
    })

    it('carries more in one call than a record may have', async () => {
      const { broker, topic } = await bench.withTopic(1, { 'max.message.bytes': '10000' })
      const values = texts(20).map((text) => text.padEnd(5_000, '.'))

      await broker.producer.produce(values.map((value) => ({ topic, key: 'k', value: Buffer.from(value) })))

      expect((await bench.readAll(broker, topic)).map(textOf)).toEqual(values)
    })

    it('refuses a topic and a partition that do not exist', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const record = { key: null, value: Buffer.from('x') }

      await expect(
        broker.producer.produce([{ ...record, topic: bench.cluster.topicName() }]),
      ).rejects.toMatchObject(brokerError('unknown_topic'))
      await expect(broker.producer.produce([{ ...record, topic, partition: 2 }])).rejects.toMatchObject(
        brokerError('unknown_topic'),
      )
    })

    it('has every record of many concurrent calls exactly once, where it said', async () => {
      const { broker, topic } = await bench.withTopic(4)
      const producers = [broker.producer, (await bench.open()).producer]
      const values = texts(400)

      const positions = await Promise.all(
        values.map(async (value, index) => {
          const records = [{ topic, key: `k${index % 13}`, value: Buffer.from(value) }]
          const [position] = await producers[index % 2]!.produce(records)
          return `${position!.partition} ${position!.offset} ${value}`
        }),
      )

      const stored = await bench.readAll(broker, topic)
      expect(
        stored.map((record) => `${record.partition} ${record.offset} ${textOf(record)}`).toSorted(),
      ).toEqual(positions.toSorted())
    })

    it('flushes at close, and takes nothing afterwards', async () => {
      const { broker, topic } = await bench.withTopic()
      const closing = await bench.cluster.open()
      const values = texts(50)
      const settled: string[] = []
      const appended = values.map(async (value) => {
        await closing.producer.produce([{ topic, key: 'k', value: Buffer.from(value) }])
        settled.push(value)
      })

      await closing.close()

      expect(settled).toEqual(values)
      await Promise.all(appended)
      expect((await bench.readAll(broker, topic)).map(textOf)).toEqual(values)
      await expect(
        closing.producer.produce([{ topic, key: 'k', value: Buffer.from('x') }]),
      ).rejects.toMatchObject(brokerError('closed'))
    })
  })
}
