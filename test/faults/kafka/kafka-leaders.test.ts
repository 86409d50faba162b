import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, it, vi } from 'vitest'
import { describePart } from '../../harness/parts/describe-part.ts'
import { useThreeBrokers } from './three-brokers.ts'

const partitions = 6
const leaderChanges = 12

describePart('kafka', (path) => {
  describe.skipIf(path.includes(':'))('G1 G5: three brokers of Kafka', { timeout: 300_000 }, () => {
    const kafka = useThreeBrokers({ jars: path, settings: restless })

    async function leaders(topic: string): Promise<number[]> {
      return (await kafka.wire.locate([topic])).get(topic)!.partitions.map(({ leader }) => leader)
    }

    it(`lose no acknowledged record in ${leaderChanges} changes of leaders under load`, async () => {
      const topic = 'wandering'
      const config = { 'min.insync.replicas': '2' }
      await kafka.broker.admin.createTopics([{ name: topic, partitions, replicas: 3, config }])
      const consumed = new Set<string>()
      const consumer = kafka.broker.consumer({
        group: 'wandering',
        topics: [topic],
        handlers: {
          onAssigned: () => {},
          onRevoked: () => {},
          onRecords: ({ records }) => records.forEach(({ value }) => consumed.add(String(value))),
          onError: () => {},
        },
      })
      await consumer.start()
      const acknowledged: string[] = []
      let stop = false
      const load = Array.from({ length: 16 }, async (_, producer) => {
        for (let count = 0; !stop; count++) {
          const value = `${producer}-${count}`
          const outcome = kafka.broker.producer.produce([{ topic, key: value, value: Buffer.from(value) }])
          await outcome.then(
            () => acknowledged.push(value),
            () => {},
          )
        }
      })

      const client = new Kafka({ brokers: kafka.cluster.bootstrapServers, logLevel: logLevel.NOTHING })
      const admin = client.admin()
      await admin.connect()
      const nodes = kafka.cluster.nodes.map(({ id }) => id)
      for (let change = 0; change < leaderChanges; change++) {
        const acknowledgedBefore = acknowledged.length
        const before = await leaders(topic)
        const partitionAssignment = before.map((leader, partition) => {
          const next = nodes[(nodes.indexOf(leader) + 1) % nodes.length]!
          return { partition, replicas: [next, ...nodes.filter((id) => id !== next)] }
        })
        await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] })
        await vi.waitFor(async () => {
          const after = await leaders(topic)
          expect(after.every((leader, index) => leader >= 0 && leader !== before[index])).toBe(true)
          // However slow the machine is, every change has its share of the load.
          expect(acknowledged.length - acknowledgedBefore).toBeGreaterThan(load.length)
        }, 120_000)
      }
      stop = true
      await Promise.all(load)
      await admin.disconnect()

      const found = new Set<string>()
      const follower = await kafka.broker.follow(topic, ({ value }) => found.add(String(value)))
      await follower.close()
      expect(acknowledged.filter((value) => !found.has(value))).toEqual([])
      await vi.waitFor(() => expect(acknowledged.filter((value) => !consumed.has(value))).toEqual([]), 60_000)
      await consumer.stop()
    })

    it('take records again soon after one of them hangs', async () => {
      const topic = 'three-copies'
      const config = { 'min.insync.replicas': '2' }
      await kafka.broker.admin.createTopics([{ name: topic, partitions, replicas: 3, config }])
      const produce = () =>
        kafka.broker.producer.produce(
          Array.from({ length: partitions }, (_, partition) => ({
            topic,
            partition,
            key: null,
            value: Buffer.from('x'),
          })),
        )
      await produce()
      const hanging = kafka.cluster.nodes[0]!

      hanging.hang()
      try {
        await vi.waitFor(produce, { timeout: 120_000, interval: 100 })
      } finally {
        hanging.wake()
      }
    })

    it('take records for the partitions of two while the third is dead', async () => {
      const topic = 'single-copies'
      await kafka.broker.admin.createTopics([
        { name: topic, partitions, replicas: 1, config: { 'min.insync.replicas': '1' } },
      ])
      const dying = kafka.cluster.nodes[2]!
      const owners = await leaders(topic)
      const dead = owners.indexOf(dying.id)
      const alive = owners.flatMap((leader, partition) => (leader === dying.id ? [] : [partition]))
      const produce = (partition: number) =>
        kafka.broker.producer.produce([{ topic, partition, key: null, value: Buffer.from('x') }])
      for (const partition of owners.keys()) await produce(partition)

      await dying.kill()
      let failure: unknown
      const failed = produce(dead).catch((error: unknown) => (failure = error))
      let meanwhile = 0
      for (; failure === undefined; meanwhile++) await produce(alive[meanwhile % alive.length]!)

      await failed
      expect(failure).toMatchObject({ code: 'unavailable' })
      // One that is held up by the dead broker gets through once or twice while the other record loses patience.
      expect(meanwhile).toBeGreaterThan(10)
      await dying.start()
      await vi.waitFor(() => produce(dead), 60_000)
    })
  })
})

/** Leadership follows the order of the copies within a second. */
const restless = {
  'leader.imbalance.check.interval.seconds': '1',
  'leader.imbalance.per.broker.percentage': '0',
}
