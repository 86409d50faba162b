import { describe, expect, it, onTestFinished } from 'vitest'
import type { Broker, ConsumedRecord } from '../../../core/broker/broker.ts'
import { type Bench, brokerError, texts, textOf } from './harness.ts'

export function describeFollowing(bench: Bench): void {
  describe('following', () => {
    it('hands over all that is there before it resolves, then what comes', async () => {
      const { broker, topic } = await bench.withTopic(3)
      await broker.producer.produce(
        texts(100).map((value) => ({ topic, key: value, value: Buffer.from(value) })),
      )

      const followed = await follow(broker, topic)
      expect(followed.map(textOf).toSorted()).toEqual(texts(100).toSorted())

      await broker.producer.produce([{ topic, key: 'm1', value: Buffer.from('live') }])
      await broker.producer.produce([{ topic, key: 'm1', value: null }])
      await bench.eventually(() => expect(followed).toHaveLength(102))
      expect(followed.slice(100).map(({ key, value }) => [key, value && String(value)])).toEqual([
        ['m1', 'live'],
        ['m1', null],
      ])
    })

    it('keeps the order of each partition', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const record = (partition: number, value: string) => ({
        topic,
        partition,
        key: null,
        value: Buffer.from(value),
      })
      await broker.producer.produce(texts(1_200).map((value, index) => record(index % 2, value)))

      const followed = await follow(broker, topic)

      for (const partition of [0, 1]) {
        expect(followed.filter((found) => found.partition === partition).map(textOf)).toEqual(
          texts(1_200).filter((_, index) => index % 2 === partition),
        )
      }
    })

    it('resolves on an empty topic', async () => {
      const { broker, topic } = await bench.withTopic()
      const followed = await follow(broker, topic)
      expect(followed).toEqual([])
      await broker.producer.produce([{ topic, key: 'k', value: Buffer.from('first') }])
      await bench.eventually(() => expect(followed.map(textOf)).toEqual(['first']))
    })

    it('needs no group: every follower gets everything', async () => {
      const { broker, topic } = await bench.withTopic()
      const one = await follow(broker, topic)
      const two = await follow(await bench.open(), topic)
      await broker.producer.produce([{ topic, key: 'k', value: Buffer.from('x') }])
      await bench.eventually(() => expect([one.length, two.length]).toEqual([1, 1]))
    })

    it('hands over nothing after close', async () => {
      const { broker, topic } = await bench.withTopic()
      const closed: ConsumedRecord[] = []
      const follower = await broker.follow(topic, (record) => closed.push(record))
      await follower.close()
      const witness = await follow(broker, topic)
      await broker.producer.produce([{ topic, key: 'k', value: Buffer.from('x') }])
      await bench.eventually(() => expect(witness).toHaveLength(1))
      expect(closed).toEqual([])
    })

    it('refuses a topic that does not exist', async () => {
      const broker = await bench.open()
      await expect(broker.follow(bench.cluster.topicName(), () => {})).rejects.toMatchObject(
        brokerError('unknown_topic'),
      )
    })
  })
}

/** What a follower gets, growing. It is closed at the end of the test. */
async function follow(broker: Broker, topic: string): Promise<ConsumedRecord[]> {
  const records: ConsumedRecord[] = []
  const follower = await broker.follow(topic, (record) => records.push(record))
  onTestFinished(() => follower.close())
  return records
}
