import { describe, expect, it } from 'vitest'
import type { TopicSpec } from '../../../core/broker/broker.ts'
import { type Bench, brokerError, texts, textOf } from './harness.ts'
import { ObservedConsumer } from './observed-consumer.ts'

export function describeAdministering(bench: Bench): void {
  const spec = (changes: Partial<TopicSpec> = {}): TopicSpec => ({
    name: bench.cluster.topicName(),
    partitions: 2,
    replicas: 1,
    config: { 'cleanup.policy': 'delete', 'retention.ms': '86400000' },
    ...changes,
  })

  describe('topics', () => {
    it('are created as declared', async () => {
      const broker = await bench.open()
      const topic = spec()
      await broker.admin.createTopics([topic])
      await bench.eventually(async () => {
        const [description] = await broker.admin.describeTopics([topic.name])
        expect(description).toMatchObject({ ...topic })
      })
    })

    it('stay as they are when they are created again', async () => {
      const broker = await bench.open()
      const topic = spec()
      expect(await broker.admin.createTopics([topic])).toEqual([])
      const added = spec()

      const before = await broker.admin.createTopics([
        { ...topic, partitions: 5, config: { 'retention.ms': '1000' } },
        added,
      ])
      expect(before).toEqual([topic.name])

      await bench.eventually(async () => {
        expect(await broker.admin.describeTopics([topic.name, added.name])).toMatchObject([topic, added])
      })
    })

    it('are found by how their names begin', async () => {
      const broker = await bench.open()
      const main = bench.cluster.topicName()
      const names = ['.retry.5m', '.retry.1h', '.dlq'].map((end) => main + end)
      await broker.admin.createTopics(names.map((name) => spec({ name })))
      await bench.eventually(async () => {
        const found = await broker.admin.listTopics(`${main}.retry.`)
        expect(found.toSorted()).toEqual([`${main}.retry.1h`, `${main}.retry.5m`])
      })
      await broker.admin.deleteTopics(names)
      await bench.eventually(async () => expect(await broker.admin.listTopics(`${main}.`)).toEqual([]))
    })

    it('are described to each who asks, however many ask at once', async () => {
      const broker = await bench.open()
      const topics = texts(4).map(() => spec())
      await broker.admin.createTopics(topics)
      const describeEach = () =>
        Promise.all(
          topics.flatMap(({ name }) => [
            broker.admin.describeTopics([name]),
            broker.admin.describeTopics([`${name}-missing`]),
          ]),
        )
      const each = topics.flatMap(({ name }) => [[expect.objectContaining({ name })], []])
      await bench.eventually(async () => expect(await describeEach()).toEqual(each))
      for (let round = 0; round < 10; round++) expect(await describeEach()).toEqual(each)
    })

    it('can be created by several clients at once', async () => {
      const clients = await Promise.all(texts(3).map(() => bench.open()))
      const topics = [spec(), spec()]
      await Promise.all(clients.map(({ admin }) => admin.createTopics(topics)))
      await bench.eventually(async () => {
        const described = await clients[0]!.admin.describeTopics(topics.map(({ name }) => name))
        expect(described.map(({ partitions }) => partitions)).toEqual([2, 2])
      })
    })

    it.each(['', '.', '..', 'a b', 'ü', 'a/b', 'x'.repeat(250)])(
      'are refused the name "%s"',
      async (name) => {
        const broker = await bench.open()
        await expect(broker.admin.createTopics([spec({ name })])).rejects.toMatchObject(
          brokerError('invalid'),
        )
      },
    )

    it('may have a name of 249 characters', async () => {
      const broker = await bench.open()
      const name = bench.cluster.topicName().padEnd(249, '-._xyz')
      await broker.admin.createTopics([spec({ name })])
      await bench.eventually(() =>
        broker.producer.produce([{ topic: name, key: null, value: Buffer.from('x') }]),
      )
    })

    it.each([
      { partitions: 0 },
      { config: { 'cleanup.policy': 'burn' } },
      { config: { 'retention.ms': 'soon' } },
    ])('are refused with %o', async (changes) => {
      const broker = await bench.open()
      await expect(broker.admin.createTopics([spec(changes)])).rejects.toMatchObject(brokerError('invalid'))
    })

    it('are absent from the description when they do not exist', async () => {
      const { broker, topic } = await bench.withTopic()
      const described = await broker.admin.describeTopics([bench.cluster.topicName(), topic])
      expect(described.map(({ name }) => name)).toEqual([topic])
    })

    it('grow and keep their records', async () => {
      const { broker, topic } = await bench.withTopic(2)
      await broker.producer.produce([{ topic, key: 'k', value: Buffer.from('before') }])

      await broker.admin.growPartitions(topic, 4)
      await broker.admin.growPartitions(topic, 4)

      await bench.eventually(async () => {
        const [description] = await broker.admin.describeTopics([topic])
        expect(description!.partitions).toBe(4)
        await broker.producer.produce([{ topic, partition: 3, key: 'k', value: Buffer.from('after') }])
      })
      await bench.eventually(async () => {
        const values = (await bench.readAll(broker, topic)).map(textOf)
        expect([...new Set(values)].toSorted()).toEqual(['after', 'before'])
      })
    })

    it('never shrink', async () => {
      const { broker, topic } = await bench.withTopic(3)
      await expect(broker.admin.growPartitions(topic, 2)).rejects.toMatchObject(brokerError('invalid'))
      await expect(broker.admin.growPartitions(bench.cluster.topicName(), 2)).rejects.toMatchObject(
        brokerError('unknown_topic'),
      )
      const [description] = await broker.admin.describeTopics([topic])
      expect(description!.partitions).toBe(3)
    })

    it('keep the configuration that an alteration does not name', async () => {
      const broker = await bench.open()
      const topic = spec({ config: { 'retention.ms': '86400000', 'max.message.bytes': '5000' } })
      await broker.admin.createTopics([topic])

      await bench.eventually(() => broker.admin.alterConfig(topic.name, { 'retention.ms': '3600000' }))

      await bench.eventually(async () => {
        const [description] = await broker.admin.describeTopics([topic.name])
        expect(description!.config).toMatchObject({ 'retention.ms': '3600000', 'max.message.bytes': '5000' })
      })
      await expect(broker.admin.alterConfig(topic.name, { 'retention.ms': 'soon' })).rejects.toMatchObject(
        brokerError('invalid'),
      )
      await expect(
        broker.admin.alterConfig(bench.cluster.topicName(), { 'retention.ms': '1' }),
      ).rejects.toMatchObject(brokerError('unknown_topic'))
    })

    it('come back empty after their deletion, with nothing committed', async () => {
      const broker = await bench.open()
      const topic = spec({ partitions: 1 })
      await broker.admin.createTopics([topic])
      await bench.eventually(() =>
        broker.producer.produce([{ topic: topic.name, key: 'k', value: Buffer.from('old') }]),
      )
      const member = await ObservedConsumer.start(broker, { group: topic.name, topics: [topic.name] })
      await bench.eventually(() => expect(member.records()).toHaveLength(1))
      await member.commit()
      await member.consumer.stop()

      await broker.admin.deleteTopics([topic.name, bench.cluster.topicName()])
      await bench.eventually(async () => expect(await broker.admin.describeTopics([topic.name])).toEqual([]))
      await bench.eventually(() =>
        expect(
          broker.producer.produce([{ topic: topic.name, key: 'k', value: Buffer.from('lost') }]),
        ).rejects.toMatchObject(brokerError('unknown_topic')),
      )
      await broker.admin.createTopics([topic])

      const client = await bench.open()
      await bench.eventually(() =>
        client.producer.produce([{ topic: topic.name, key: 'k', value: Buffer.from('new') }]),
      )
      expect((await bench.readAll(client, topic.name)).map(textOf)).not.toContain('old')
      await bench.eventually(async () => {
        const [lag] = await client.admin.lag([{ group: topic.name, topics: [topic.name] }])
        expect(lag!.committed).toBeNull()
      })
    })
  })

  describe('lag', () => {
    it('is all that is in the log for a group that never committed, or never was', async () => {
      const { broker, topic } = await bench.withTopic(2)
      await broker.producer.produce(
        texts(5).map((value) => ({ topic, partition: 1, key: null, value: Buffer.from(value) })),
      )

      const lags = await broker.admin.lag([{ group: 'never-was', topics: [topic] }])

      const byPartition = lags.toSorted((a, b) => a.partition - b.partition)
      expect(byPartition).toMatchObject([
        { group: 'never-was', topic, partition: 0, committed: null, lag: 0 },
        { group: 'never-was', topic, partition: 1, committed: null },
      ])
      expect(byPartition[1]!.lag).toBe(byPartition[1]!.end - byPartition[1]!.beginning)
      expect(byPartition[1]!.lag).toBeGreaterThanOrEqual(5)
    })

    it('falls with commits and rises with records', async () => {
      const { broker, topic } = await bench.withTopic()
      const lag = async () => (await broker.admin.lag([{ group: topic, topics: [topic] }]))[0]!
      const produce = () => broker.producer.produce([{ topic, key: null, value: Buffer.from('x') }])
      await produce()
      const [second] = await produce()
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.records()).toHaveLength(2))

      await member.commit()
      await bench.eventually(async () => {
        expect(await lag()).toMatchObject({ committed: second!.offset + 1, lag: 0 })
      })
      await produce()
      await bench.eventually(async () => expect((await lag()).lag).toBe(1))
    })

    it('comes for several groups and topics in one answer', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const other = await bench.topic(broker, 1)

      const lags = await broker.admin.lag([
        { group: 'a', topics: [topic, other] },
        { group: 'b', topics: [other] },
      ])

      const names = lags.map((lag) => `${lag.group} ${lag.topic} ${lag.partition}`)
      expect(names.toSorted()).toEqual(
        [`a ${topic} 0`, `a ${topic} 1`, `a ${other} 0`, `b ${other} 0`].toSorted(),
      )
    })

    it('can be asked for the position at a point in time', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const produce = (value: string) =>
        broker.producer.produce([{ topic, partition: 1, key: null, value: Buffer.from(value) }])
      const [early] = await produce('early')
      // Time stamps are in milliseconds, and the clocks of client and broker may be that far apart.
      await new Promise((resolve) => setTimeout(resolve, 200))
      const between = Date.now() - 100
      const [late] = await produce('late')
      const at = async (timestamp: number) =>
        (await broker.admin.offsetsAt([{ topic, timestamp }]))
          .toSorted((left, right) => left.partition - right.partition)
          .map(({ partition, offset }) => ({ partition, offset }))

      const empty = { partition: 0, offset: 0 }
      await bench.eventually(async () => {
        expect(await at(0)).toEqual([empty, { partition: 1, offset: early!.offset }])
        expect(await at(between)).toEqual([empty, { partition: 1, offset: late!.offset }])
        const [, end] = await at(Date.now() + 3_600_000)
        expect(end!.offset).toBeGreaterThan(late!.offset)
      })
      await expect(
        broker.admin.offsetsAt([{ topic: bench.cluster.topicName(), timestamp: 0 }]),
      ).rejects.toMatchObject(brokerError('unknown_topic'))
    })

    it('of a topic that does not exist is an error, never 0', async () => {
      const { broker, topic } = await bench.withTopic()
      await expect(
        broker.admin.lag([{ group: 'g', topics: [topic, bench.cluster.topicName()] }]),
      ).rejects.toMatchObject(brokerError('unknown_topic'))
    })
  })
}
