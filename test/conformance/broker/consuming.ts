import { describe, expect, it } from 'vitest'
import type { Broker } from '../../../core/broker/broker.ts'
import { type Bench, brokerError, texts, textOf } from './harness.ts'
import { ObservedConsumer } from './observed-consumer.ts'

export function describeConsuming(bench: Bench): void {
  describe('consuming', () => {
    it('reads from the beginning when nothing is committed, in order, and goes on', async () => {
      const { broker, topic } = await bench.withTopic(2)
      await produce(broker, topic, 0, texts(20, 'a'))
      await produce(broker, topic, 1, texts(20, 'b'))

      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.records()).toHaveLength(40))
      await produce(broker, topic, 0, ['later'])
      await bench.eventually(() => expect(member.records()).toHaveLength(41))

      expect(member.values(0)).toEqual([...texts(20, 'a'), 'later'])
      expect(member.values(1)).toEqual(texts(20, 'b'))
      expect(member.events.find(({ type }) => type !== 'error')).toMatchObject({ type: 'assigned' })
      expect(member.records(member.assignment.epoch)).toHaveLength(41)
    })

    it('has the assignment handed over when start resolves', async () => {
      const { broker, topic } = await bench.withTopic(3)
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      expect(new Set(member.assignment.partitions.map(({ partition }) => partition))).toEqual(
        new Set([0, 1, 2]),
      )
    })

    it('reads several topics', async () => {
      const { broker, topic } = await bench.withTopic()
      const other = await bench.topic(broker, 2)
      await produce(broker, topic, 0, ['one'])
      await produce(broker, other, 1, ['two'])

      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic, other] })

      await bench.eventually(() => expect(member.records()).toHaveLength(2))
      const found = member.records().map((record) => `${record.topic} ${textOf(record)}`)
      expect(found.toSorted()).toEqual([`${topic} one`, `${other} two`].toSorted())
    })

    it('goes on after the committed position', async () => {
      const { broker, topic } = await bench.withTopic()
      const [, , third] = await produce(broker, topic, 0, texts(5))
      const first = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(first.records()).toHaveLength(5))
      await first.consumer.commit(first.assignment.epoch, [{ ...third!, offset: third!.offset + 1 }])
      await first.consumer.stop()

      const second = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })

      await bench.eventually(() => expect(second.records()).toHaveLength(2))
      expect(second.values()).toEqual(['m3', 'm4'])
    })

    it('hands over a backlog that is larger than one fetch, in order', async () => {
      const { broker, topic } = await bench.withTopic()
      const small = texts(2_500)
      const large = texts(8, 'L').map((text) => text.padEnd(400_000, '.'))
      await produce(broker, topic, 0, [...small, ...large, 'last'])

      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })

      await bench.eventually(() => expect(member.values().at(-1)).toBe('last'))
      expect(member.values()).toEqual([...small, ...large, 'last'])
    })

    it('gives every group everything, however slow another one is', async () => {
      const { broker, topic } = await bench.withTopic()
      const slow = await ObservedConsumer.start(broker, { group: `${topic}-slow`, topics: [topic] })
      slow.consumer.pause([{ topic, partition: 0 }])
      const quick = await ObservedConsumer.start(broker, { group: `${topic}-quick`, topics: [topic] })

      await produce(broker, topic, 0, texts(30))

      await bench.eventually(() => expect(quick.values()).toEqual(texts(30)))
      await quick.commit()
      expect(slow.records()).toEqual([])
      slow.consumer.resume([{ topic, partition: 0 }])
      await bench.eventually(() => expect(slow.values()).toEqual(texts(30)))
    })

    it('refuses to start on a topic that does not exist', async () => {
      const broker = await bench.open()
      const member = new ObservedConsumer(broker, { group: 'nobody', topics: [bench.cluster.topicName()] })
      await expect(member.consumer.start()).rejects.toMatchObject(brokerError('unknown_topic'))
      await member.consumer.stop()
    })

    it('stops at once: one last revocation, no more records, no more commits', async () => {
      const { broker, topic } = await bench.withTopic()
      await produce(broker, topic, 0, texts(3))
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.records()).toHaveLength(3))
      const { epoch } = member.assignment
      const positions = member.positions()

      await member.consumer.stop()

      expect(member.events.at(-1)).toEqual({ type: 'revoked', epoch })
      await expect(member.consumer.commit(epoch, positions)).rejects.toMatchObject(brokerError('stale_epoch'))
      const witness = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await produce(broker, topic, 0, ['after'])
      await bench.eventually(() => expect(witness.values()).toContain('after'))
      expect(member.values()).not.toContain('after')
      await member.consumer.stop()
    })
  })

  describe('pausing', () => {
    it('stops one partition while the others flow, and resumes without loss or repetition', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await produce(broker, topic, 0, ['before'])
      await bench.eventually(() => expect(member.values(0)).toEqual(['before']))

      member.consumer.pause([{ topic, partition: 0 }])
      await produce(broker, topic, 0, texts(10))
      await produce(broker, topic, 1, texts(10))
      await bench.eventually(() => expect(member.values(1)).toEqual(texts(10)))
      await produce(broker, topic, 1, ['again'])
      await bench.eventually(() => expect(member.values(1)).toContain('again'))
      expect(member.values(0)).toEqual(['before'])

      member.consumer.resume([{ topic, partition: 0 }])
      await bench.eventually(() => expect(member.values(0)).toHaveLength(11))
      await produce(broker, topic, 0, ['end'])
      await bench.eventually(() => expect(member.values(0)).toContain('end'))
      expect(member.values(0)).toEqual(['before', ...texts(10), 'end'])
    })

    it('holds from the very call on, also in the middle of a backlog', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const backlog = texts(3_000)
      await produce(broker, topic, 0, backlog)
      const seen: number[] = []
      const member = await ObservedConsumer.start(broker, {
        group: topic,
        topics: [topic],
        onRecords: ({ partition, records }, { consumer }) => {
          if (partition !== 0) return
          seen.push(records.length)
          consumer.pause([{ topic, partition }])
        },
      })
      await bench.eventually(() => expect(seen).toHaveLength(1))
      await produce(broker, topic, 1, ['witness'])
      await bench.eventually(() => expect(member.values(1)).toEqual(['witness']))
      expect(seen).toHaveLength(1)

      await bench.eventually(() => {
        member.consumer.resume([{ topic, partition: 0 }])
        expect(member.values(0)).toHaveLength(backlog.length)
      })
      expect(member.values(0)).toEqual(backlog)
    })

    it('holds also what was on its way at the call', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const backlog = texts(3_000)
      await produce(broker, topic, 0, backlog)
      let handedOver: number | undefined
      const member = await ObservedConsumer.start(broker, {
        group: topic,
        topics: [topic],
        onRecords: ({ partition }, { consumer }) => {
          if (partition !== 0 || handedOver !== undefined) return
          handedOver = Number.NaN
          // By then the next records are being fetched.
          setImmediate(() => {
            consumer.pause([{ topic, partition }])
            handedOver = member.values(0).length
          })
        },
      })
      await bench.eventually(() => expect(handedOver).toBeGreaterThan(0))
      await produce(broker, topic, 1, ['witness'])
      await bench.eventually(() => expect(member.values(1)).toEqual(['witness']))
      expect(member.values(0)).toHaveLength(handedOver!)

      member.consumer.resume([{ topic, partition: 0 }])
      await bench.eventually(() => expect(member.values(0)).toHaveLength(backlog.length))
      expect(member.values(0)).toEqual(backlog)
    })

    it('ignores partitions that are not owned', async () => {
      const { broker, topic } = await bench.withTopic()
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      const foreign = [
        { topic: 'elsewhere', partition: 0 },
        { topic, partition: 9 },
      ]

      member.consumer.pause(foreign)
      member.consumer.resume(foreign)

      await produce(broker, topic, 0, ['flows'])
      await bench.eventually(() => expect(member.values()).toEqual(['flows']))
    })
  })

  describe('committing', () => {
    it('refuses an epoch that is not the present one, and moves nothing', async () => {
      const { broker, topic } = await bench.withTopic()
      await produce(broker, topic, 0, texts(5))
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.records()).toHaveLength(5))
      const { epoch } = member.assignment

      for (const wrong of [epoch - 1, epoch + 1]) {
        await expect(member.consumer.commit(wrong, member.positions())).rejects.toMatchObject(
          brokerError('stale_epoch'),
        )
      }

      expect(await committed(broker, topic)).toEqual([null])
    })

    it('refuses a partition that is not owned, and commits nothing of that call', async () => {
      const { broker, topic } = await bench.withTopic()
      await produce(broker, topic, 0, texts(5))
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.records()).toHaveLength(5))
      const foreign = { topic: await bench.topic(broker), partition: 0, offset: 0 }

      await expect(
        member.consumer.commit(member.assignment.epoch, [...member.positions(), foreign]),
      ).rejects.toMatchObject(brokerError('stale_epoch'))

      expect(await committed(broker, topic)).toEqual([null])
      await member.commit()
      expect(await committed(broker, topic)).toEqual([member.positions()[0]!.offset])
    })

    it('keeps partitions apart, and the last of two commits', async () => {
      const { broker, topic } = await bench.withTopic(2)
      const first = await produce(broker, topic, 0, texts(3))
      await produce(broker, topic, 1, texts(3))
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.records()).toHaveLength(6))
      const { epoch } = member.assignment

      const earlier = member.consumer.commit(epoch, [{ ...first[0]!, offset: first[0]!.offset + 1 }])
      const later = member.consumer.commit(epoch, [{ ...first[1]!, offset: first[1]!.offset + 1 }])
      await Promise.all([earlier, later])

      expect(await committed(broker, topic)).toEqual([first[1]!.offset + 1, null])
    })
  })
}

async function produce(broker: Broker, topic: string, partition: number, values: readonly string[]) {
  return await broker.producer.produce(
    values.map((value) => ({ topic, partition, key: null, value: Buffer.from(value) })),
  )
}

async function committed(broker: Broker, topic: string): Promise<(number | null)[]> {
  const lags = await broker.admin.lag([{ group: topic, topics: [topic] }])
  return lags.toSorted((a, b) => a.partition - b.partition).map(({ committed }) => committed)
}
