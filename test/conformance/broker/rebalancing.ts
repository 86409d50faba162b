import { describe, expect, it, onTestFinished } from 'vitest'
import type { Broker } from '../../../core/broker/broker.ts'
import { type Bench, brokerError, texts } from './harness.ts'
import { ObservedConsumer } from './observed-consumer.ts'

export function describeRebalancing(bench: Bench): void {
  describe('rebalancing', () => {
    it('gives every partition one owner, in rising epochs', async () => {
      const { topic, first, second } = await pair(bench, 4)

      await bench.eventually(() => shared(topic, 4, [first, second]))

      expect(first.assignment.partitions.length).toBeGreaterThan(0)
      expect(second.assignment.partitions.length).toBeGreaterThan(0)
      for (const member of [first, second]) {
        const epochs = member.assignments().map(({ epoch }) => epoch)
        expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b))
      }
      expect(first.assignments().length).toBeGreaterThan(1)
    })

    it('revokes before it assigns, and hands records over only in between', async () => {
      const { broker, topic, first, second } = await pair(bench, 2)
      await bench.eventually(() => shared(topic, 2, [first, second]))
      await produceEverywhere(broker, topic, 2, 'x')
      await second.consumer.stop()
      await bench.eventually(() => shared(topic, 2, [first]))
      await produceEverywhere(broker, topic, 2, 'y')
      await bench.eventually(() => expect(first.values().filter((value) => value === 'y')).toHaveLength(2))

      expectEpochsApart(first)
      expectEpochsApart(second)
    })

    it('drops what was on its way when an epoch ended', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const values = texts(2_000)
      await broker.producer.produce(
        values.flatMap((value) =>
          [0, 1].map((partition) => ({ topic, partition, key: null, value: Buffer.from(value) })),
        ),
      )
      const client = await bench.open()
      let joining: Promise<ObservedConsumer> | undefined
      const first = await ObservedConsumer.start(broker, {
        group: topic,
        topics: [topic],
        onRecords: () => {
          joining ??= ObservedConsumer.start(client, { group: topic, topics: [topic] })
        },
      })
      await bench.eventually(() => expect(joining).toBeDefined())
      const second = await joining!
      const members = [first, second]
      await bench.eventually(() => {
        shared(topic, 2, members)
        const read = members.flatMap((member) => member.records(member.assignment.epoch))
        expect(read).toHaveLength(2 * values.length)
      })

      // Nothing was committed: whatever an epoch handed over of a partition starts at the beginning and leaves nothing out.
      for (const member of members) {
        expectEpochsApart(member)
        for (const { epoch } of member.assignments()) {
          for (const partition of [0, 1]) {
            const read = member.records(epoch).filter((record) => record.partition === partition)
            expect(read.map(({ value }) => String(value))).toEqual(values.slice(0, read.length))
          }
        }
      }
    })

    it('hands uncommitted records over again, and committed ones not', async () => {
      const { broker, topic } = await bench.withTopic()
      const positions = await broker.producer.produce(
        texts(10).map((value) => ({ topic, key: null, value: Buffer.from(value) })),
      )
      const first = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(first.records()).toHaveLength(10))
      const { epoch } = first.assignment
      await first.consumer.commit(epoch, [{ ...positions[3]!, offset: positions[3]!.offset + 1 }])

      const second = await ObservedConsumer.start(await bench.open(), { group: topic, topics: [topic] })

      await bench.eventually(() => {
        const again = [first, second].flatMap((member) =>
          member.events.flatMap((event) =>
            event.type === 'records' && !(member === first && event.epoch === epoch) ? event.records : [],
          ),
        )
        expect([...new Set(again.map(({ value }) => String(value)))]).toEqual(texts(10).slice(4))
      })
    })

    it('loses no record while members come and go', async () => {
      const { broker, topic } = await bench.withTopic(4)
      const start = async (client: Broker) =>
        await ObservedConsumer.start(client, {
          group: topic,
          topics: [topic],
          onRecords: (_, member) => {
            // What a rebalance makes stale will come again.
            member.commit().catch(() => {})
          },
        })
      const members = [await start(broker)]
      const values = texts(150)
      const producing = (async () => {
        for (const value of values) {
          await broker.producer.produce([{ topic, key: value, value: Buffer.from(value) }])
        }
      })()

      members.push(await start(await bench.open()))
      members.push(await start(await bench.open()))
      await members[0]!.consumer.stop()
      await producing

      await bench.eventually(() => {
        const seen = new Set(members.flatMap((member) => member.values()))
        expect([...seen].toSorted()).toEqual(values.toSorted())
      })
    })

    it('refuses a commit of the epoch before, and keeps the position', async () => {
      const { broker, topic } = await bench.withTopic(2)
      await produceEverywhere(broker, topic, 2, 'x')
      const first = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(first.records()).toHaveLength(2))
      const { epoch } = first.assignment
      const positions = first.positions()

      const second = await ObservedConsumer.start(await bench.open(), { group: topic, topics: [topic] })
      await bench.eventually(() => shared(topic, 2, [first, second]))

      await expect(first.consumer.commit(epoch, positions)).rejects.toMatchObject(brokerError('stale_epoch'))
      const notOwned = positions.filter((position) => !first.owns(position))
      expect(notOwned.length).toBeGreaterThan(0)
      await expect(first.consumer.commit(first.assignment.epoch, notOwned)).rejects.toMatchObject(
        brokerError('stale_epoch'),
      )
      const lags = await broker.admin.lag([{ group: topic, topics: [topic] }])
      expect(lags.map(({ committed }) => committed)).toEqual([null, null])
    })

    it('forgets pauses', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const first = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      first.consumer.pause(first.assignment.partitions)
      const second = await ObservedConsumer.start(await bench.open(), { group: topic, topics: [topic] })
      await bench.eventually(() => shared(topic, 2, [first, second]))
      second.consumer.pause(second.assignment.partitions)
      await second.consumer.stop()
      await bench.eventually(() => shared(topic, 2, [first]))

      await produceEverywhere(broker, topic, 2, 'x')

      await bench.eventually(() => expect(first.records()).toHaveLength(2))
    })

    it('lets a member leave promptly: another one takes over', async () => {
      const { broker, topic, first, second } = await pair(bench, 2)
      await bench.eventually(() => shared(topic, 2, [first, second]))

      await second.consumer.stop()
      await produceEverywhere(broker, topic, 2, 'after')

      // Below the 15 s after which a member that just falls silent is given up.
      await bench.eventually(() => {
        const partitions = first.records().map(({ partition }) => partition)
        expect(new Set(partitions)).toEqual(new Set([0, 1]))
      }, 14_000)
    })

    it('takes members of a client that closes out of their groups', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const leaving = await bench.cluster.open()
      const gone = new ObservedConsumer(leaving, { group: topic, topics: [topic] })
      await gone.consumer.start()
      const staying = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })

      await leaving.close()

      await bench.eventually(() => shared(topic, 2, [staying]))
      expect(gone.events.at(-1)).toMatchObject({ type: 'revoked' })
    })

    it('keeps a member without partitions in reserve', async () => {
      const { broker, topic, first, second } = await pair(bench, 1)
      await bench.eventually(() => shared(topic, 1, [first, second]))
      const [owner, reserve] = first.assignment.partitions.length > 0 ? [first, second] : [second, first]
      expect(reserve.assignment.partitions).toEqual([])

      await owner.consumer.stop()

      await bench.eventually(() => shared(topic, 1, [reserve]))
      await produceEverywhere(broker, topic, 1, 'x')
      await bench.eventually(() => expect(reserve.values()).toEqual(['x']))
    })

    it('gives a member only topics that it subscribes to', async () => {
      const { broker, topic } = await bench.withTopic(3)
      const other = await bench.topic(broker, 3)
      const first = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      const second = await ObservedConsumer.start(await bench.open(), {
        group: topic,
        topics: [topic, other],
      })

      await bench.eventually(() => {
        shared(topic, 3, [first, second])
        shared(other, 3, [second])
      })

      expect(first.assignment.partitions.every((partition) => partition.topic === topic)).toBe(true)
    })

    it('brings in the partitions by which a topic grew, from their beginning', async () => {
      const { broker, topic } = await bench.withTopic(1)
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      const { epoch } = member.assignment

      await broker.admin.growPartitions(topic, 3)
      await bench.eventually(() =>
        broker.producer.produce([{ topic, partition: 2, key: null, value: Buffer.from('new') }]),
      )

      await bench.eventually(() => shared(topic, 3, [member]))
      expect(member.assignment.epoch).toBeGreaterThan(epoch)
      await bench.eventually(() => expect(member.values(2)).toContain('new'))
    })
  })
}

/** Two members of one group, each with a client of its own. The first was alone before. */
async function pair(bench: Bench, partitions: number) {
  const { broker, topic } = await bench.withTopic(partitions)
  const first = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
  const client = await bench.cluster.open()
  onTestFinished(() => client.close())
  const second = await ObservedConsumer.start(client, { group: topic, topics: [topic] })
  return { broker, topic, first, second }
}

/** Throws unless every partition of the topic has one owner among the members. */
function shared(topic: string, partitions: number, members: readonly ObservedConsumer[]): void {
  const owned = members
    .flatMap((member) => member.assignment.partitions)
    .filter((partition) => partition.topic === topic)
    .map(({ partition }) => partition)
  expect(owned.toSorted((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, number) => number))
}

/** An assignment comes only when none holds; records come only within the assignment of their epoch. */
function expectEpochsApart({ events }: ObservedConsumer): void {
  let epoch: number | undefined
  for (const event of events) {
    if (event.type === 'assigned') {
      expect(epoch).toBeUndefined()
      epoch = event.epoch
    } else if (event.type !== 'error') {
      expect(event.epoch).toBe(epoch)
      if (event.type === 'revoked') epoch = undefined
    }
  }
}

async function produceEverywhere(broker: Broker, topic: string, partitions: number, value: string) {
  await broker.producer.produce(
    Array.from({ length: partitions }, (_, partition) => ({
      topic,
      partition,
      key: null,
      value: Buffer.from(value),
    })),
  )
}
