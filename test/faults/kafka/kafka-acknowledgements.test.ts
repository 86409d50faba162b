import { describe, expect, it, vi } from 'vitest'
import type { Producer } from '../../../core/broker/broker.ts'
import type { KafkaNode } from '../../harness/kafka/kafka.ts'
import { describePart } from '../../harness/parts/describe-part.ts'
import { openNaiveProducer } from './naive-kafka-producer.ts'
import { useThreeBrokers } from './three-brokers.ts'

const partitions = 6
let topics = 0

describePart('kafka', (path) => {
  describe.skipIf(path.includes(':'))('G1: what Kafka acknowledged', { timeout: 300_000 }, () => {
    const kafka = useThreeBrokers({ jars: path, proxied: true })

    async function newTopic(): Promise<string> {
      const name = `acknowledged-${++topics}`
      await kafka.broker.admin.createTopics([
        { name, partitions, replicas: 3, config: { 'min.insync.replicas': '2' } },
      ])
      return name
    }

    async function leaderOf(topic: string, partition: number): Promise<KafkaNode> {
      const leader = (await kafka.wire.locate([topic])).get(topic)?.partitions[partition]?.leader
      const node = kafka.cluster.nodes.find(({ id }) => id === leader)
      if (!node) throw new Error('no leader')
      return node
    }

    /** Values that are not in the log. */
    async function missing(topic: string, values: readonly string[]): Promise<string[]> {
      const found = new Set<string>()
      const follower = await kafka.broker.follow(topic, ({ value }) => found.add(String(value)))
      await follower.close()
      return values.filter((value) => !found.has(value))
    }

    /** Answers are lost while the next record waits. Answers what was acknowledged and is not there. */
    async function loseAnswers(producer: Producer): Promise<string[]> {
      const topic = await newTopic()
      const acknowledged: string[] = []
      const produce = async (value: string) => {
        await producer.produce([{ topic, partition: 0, key: null, value: Buffer.from(value) }])
        acknowledged.push(value)
      }
      await produce('warm')
      const leader = await leaderOf(topic, 0)
      for (let round = 0; round < 5; round++) {
        const { passed, lost } = leader.proxy!.loseNextAnswer()
        const first = produce(`first-${round}`)
        await passed
        const second = produce(`second-${round}`)
        await lost
        await Promise.all([first, second])
      }
      expect(acknowledged).toHaveLength(11)
      return await missing(topic, acknowledged)
    }

    /** A broker dies with a request before its door; its partitions go to brokers that have answered their own part already. */
    async function changeLeaders(producer: Producer): Promise<string[]> {
      const topic = await newTopic()
      const values = Array.from({ length: partitions }, (_, index) => `value-${index}`)
      const batch = (prefix: string) =>
        values.map((value, partition) => ({
          topic,
          partition,
          key: null,
          value: Buffer.from(prefix + value),
        }))
      await producer.produce(batch('warm-'))
      const dying = await leaderOf(topic, 0)
      const held = dying.proxy!.holdNextProduce()
      const outcome = producer.produce(batch('')).then(
        () => 'acknowledged',
        () => 'refused',
      )
      const { drop } = await held
      await dying.kill()
      await vi.waitFor(async () => expect((await leaderOf(topic, 0)).id).not.toBe(dying.id), 60_000)
      drop()
      // Refusing is honest too, where the new leaders took longer than the producer's patience.
      if ((await outcome) === 'refused') await producer.produce(batch(''))
      await dying.start()
      return await missing(topic, values)
    }

    it('is in the log although answers were lost', async () => {
      expect(await loseAnswers(kafka.broker.producer)).toEqual([])
    })

    it('is in the log although leaders changed', async () => {
      expect(await changeLeaders(kafka.broker.producer)).toEqual([])
    })

    it('would be lost by a naive producer when answers are lost', async () => {
      const naive = await openNaiveProducer(kafka.cluster.bootstrapServers, partitions)
      expect(await loseAnswers(naive.producer)).not.toEqual([])
      await naive.close()
    })

    it('would be lost by a naive producer when leaders change', async () => {
      const naive = await openNaiveProducer(kafka.cluster.bootstrapServers, partitions)
      expect(await changeLeaders(naive.producer)).not.toEqual([])
      await naive.close()
    })
  })
})
