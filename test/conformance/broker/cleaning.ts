import { describe, expect, it } from 'vitest'
import type { Broker } from '../../../core/broker/broker.ts'
import { type Bench, texts, textOf } from './harness.ts'
import { ObservedConsumer } from './observed-consumer.ts'

/** Makes Kafka, which cleans whole segments and never the active one, compact as soon as a record follows. */
const compacted = {
  'cleanup.policy': 'compact',
  'segment.ms': '50',
  'min.cleanable.dirty.ratio': '0.001',
  'delete.retention.ms': '100',
}

export function describeCleaning(bench: Bench): void {
  /** Cleans until the check passes; a record of another key rolls the segment each time. */
  async function cleanUntil(broker: Broker, topic: string, check: () => Promise<void>): Promise<void> {
    const { cleaningMs } = bench.cluster.capabilities
    await bench.eventually(async () => {
      await broker.producer.produce([{ topic, partition: 0, key: 'filler', value: Buffer.from('filler') }])
      await bench.cluster.clean?.()
      await check()
    }, cleaningMs)
  }

  /** A topic of which only the last of 20 values of one key is left, and the value of another. */
  async function withGaps() {
    const { broker, topic } = await bench.withTopic(1, compacted)
    const produce = async (key: string, value: string | null) => {
      const [position] = await broker.producer.produce([
        { topic, key, value: value === null ? null : Buffer.from(value) },
      ])
      return position!
    }
    await produce('kept', 'kept')
    let last = await produce('key', 'm0')
    for (const value of texts(20).slice(1)) last = await produce('key', value)
    await cleanUntil(broker, topic, async () => {
      const values = (await bench.readAll(broker, topic)).filter(({ key }) => key === 'key').map(textOf)
      expect(values).toEqual(['m19'])
    })
    return { broker, topic, produce, last }
  }

  describe('compaction', () => {
    it('keeps the last value of each key at its offset', { timeout: 300_000 }, async () => {
      const { broker, topic, last } = await withGaps()
      const left = await bench.readAll(broker, topic)
      expect(left.filter(({ key }) => key === 'kept').map(textOf)).toEqual(['kept'])
      expect(left.find(({ key }) => key === 'key')!.offset).toBe(last.offset)
    })

    it('forgets a key after its tombstone', { timeout: 300_000 }, async () => {
      const { broker, topic, produce } = await withGaps()
      await produce('key', null)
      await cleanUntil(broker, topic, async () => {
        expect((await bench.readAll(broker, topic)).map(({ key }) => key)).not.toContain('key')
      })
    })

    it('leaves gaps that a group reads, commits and resumes across', { timeout: 300_000 }, async () => {
      const { broker, topic, produce, last } = await withGaps()
      const first = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(first.values()).toContain('m19'))
      expect(first.values().slice(0, 2)).toEqual(['kept', 'm19'])
      const [kept] = first.records()
      await first.consumer.commit(first.assignment.epoch, [{ ...kept!, offset: kept!.offset + 1 }])
      await first.consumer.stop()

      // Committed right behind `kept`: the position lies in the gap.
      const second = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(second.values()).toContain('m19'))
      expect(second.values()).not.toContain('kept')
      await second.consumer.commit(second.assignment.epoch, [{ ...last, offset: last.offset + 1 }])
      await second.consumer.stop()

      const third = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await produce('key', 'end')
      await bench.eventually(() => expect(third.values()).toContain('end'))
      expect(third.values()).not.toContain('m19')
    })

    it('counts lag by offsets, gaps included', { timeout: 300_000 }, async () => {
      const { broker, topic, last } = await withGaps()
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.values()).toContain('m19'))
      await member.consumer.commit(member.assignment.epoch, [{ topic, partition: 0, offset: last.offset }])
      const [lag] = await broker.admin.lag([{ group: topic, topics: [topic] }])
      expect(lag).toMatchObject({ committed: last.offset, lag: lag!.end - last.offset })
    })
  })

  describe('retention', () => {
    it('deletes old records, uses no offset twice, and counts lag from the new beginning', {
      timeout: 300_000,
    }, async () => {
      const { broker, topic } = await bench.withTopic(1, { 'retention.ms': '1', 'segment.ms': '50' })
      const produced = await broker.producer.produce(
        texts(10).map((value) => ({ topic, key: 'k', value: Buffer.from(value) })),
      )
      const last = produced.at(-1)!
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await member.consumer.commit(member.assignment.epoch, [
        { ...produced[0]!, offset: produced[0]!.offset + 1 },
      ])
      await member.consumer.stop()

      await cleanUntil(broker, topic, async () => {
        const [lag] = await broker.admin.lag([{ group: topic, topics: [topic] }])
        expect(lag!.beginning).toBeGreaterThan(last.offset)
      })

      const [lag] = await broker.admin.lag([
        { group: topic, topics: [topic] },
        { group: 'no-such-group', topics: [topic] },
      ])
      expect(lag).toMatchObject({ committed: produced[0]!.offset + 1, lag: lag!.end - lag!.beginning })
      await broker.admin.alterConfig(topic, { 'retention.ms': '3600000' })
      const again = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      const [next] = await broker.producer.produce([{ topic, key: 'k', value: Buffer.from('after') }])
      expect(next!.offset).toBeGreaterThan(last.offset)
      await bench.eventually(() => expect(again.values()).toContain('after'))
      expect(again.values().filter((value) => texts(10).includes(value))).toEqual([])
    })
  })
}
