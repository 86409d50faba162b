import { describe, expect, it } from 'vitest'
import { type Bench, brokerError, texts, textOf } from './harness.ts'
import { ObservedConsumer } from './observed-consumer.ts'

/** What must hold when the cluster is killed without warning and comes back. */
export function describeRecovering(bench: Bench): void {
  const restart = async (whileDown: () => Promise<void> = async () => {}) => {
    await bench.cluster.restart!(whileDown)
  }

  describe('a restart', () => {
    it('keeps every acknowledged record and committed position', { timeout: 300_000 }, async () => {
      const { broker, topic } = await bench.withTopic(2)
      const { recoveryMs } = bench.cluster.capabilities
      const acknowledged: string[] = []
      let stop = false
      const load = texts(8, 'p').map(async (producer) => {
        for (let count = 0; !stop; count++) {
          const value = `${producer}-${count}`
          try {
            await broker.producer.produce([{ topic, key: producer, value: Buffer.from(value) }])
            acknowledged.push(value)
          } catch (error) {
            expect(error).toMatchObject({ name: 'BrokerError' })
          }
        }
      })
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      await bench.eventually(() => expect(member.records().length).toBeGreaterThan(50))
      await member.commit()
      const before = await broker.admin.lag([{ group: topic, topics: [topic] }])

      await restart()

      const survivors = acknowledged.length
      await bench.eventually(() => expect(acknowledged.length).toBeGreaterThan(survivors + 20), recoveryMs)
      stop = true
      await Promise.all(load)
      const values = new Set((await bench.readAll(broker, topic)).map(textOf))
      expect(acknowledged.filter((value) => !values.has(value))).toEqual([])
      const after = await broker.admin.lag([{ group: topic, topics: [topic] }])
      expect(after.map(({ committed }) => committed)).toEqual(before.map(({ committed }) => committed))
      await bench.eventually(() => {
        const seen = new Set(member.values())
        expect(acknowledged.filter((value) => !seen.has(value))).toEqual([])
      }, recoveryMs)
      expect(member.events.filter((event) => event.type === 'error' && event.fatal)).toEqual([])
    })

    it('fails what is produced meanwhile in time, and nothing afterwards', { timeout: 300_000 }, async () => {
      const { broker, topic } = await bench.withTopic()
      const followed: string[] = []
      const follower = await broker.follow(topic, (record) => followed.push(textOf(record)))
      const member = await ObservedConsumer.start(broker, { group: topic, topics: [topic] })
      const produce = (value: string) =>
        broker.producer.produce([{ topic, key: 'k', value: Buffer.from(value) }])
      await produce('before')
      await bench.eventually(() => expect([member.values(), followed]).toEqual([['before'], ['before']]))

      await restart(async () => {
        const asked = performance.now()
        await expect(produce('meanwhile')).rejects.toMatchObject(brokerError('unavailable'))
        // After ten seconds; the rest is for a loaded machine.
        expect(performance.now() - asked).toBeLessThan(60_000)
      })

      const { recoveryMs } = bench.cluster.capabilities
      await bench.eventually(() => produce('after'), recoveryMs)
      await bench.eventually(() => {
        expect(member.values()).toContain('after')
        expect(followed).toContain('after')
      }, recoveryMs)
      await bench.eventually(() => member.commit(), recoveryMs)
      await follower.close()
    })
  })
}
