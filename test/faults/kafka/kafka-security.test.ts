import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Broker, BrokerErrorCode } from '../../../core/broker/broker.ts'
import { type KafkaBrokerOptions, openKafkaBroker } from '../../../core/broker/kafka.ts'
import { createLogger } from '../../../core/observability/logger.ts'
import { type KafkaCluster, startKafka } from '../../harness/kafka/kafka.ts'
import { describePart } from '../../harness/parts/describe-part.ts'

const logger = createLogger({ level: 'ERROR', destination: { write: () => {} } })
const pem = (name: string) =>
  readFileSync(new URL(`../../conformance/tls/${name}.pem`, import.meta.url), 'utf8')
const certificate = pem('loopback')
const users = { admin: 'a-secret-of-admin', guest: 'a-secret-of-guest' }
const topic = 'guarded'

describePart('kafka', (path) => {
  describe.skipIf(path.includes(':'))('a Kafka with TLS and passwords', { timeout: 120_000 }, () => {
    let cluster: KafkaCluster
    let admin: Broker
    beforeAll(async () => {
      const security = { users, certificate: pem('loopback-key') + certificate }
      cluster = await startKafka({ jars: path, security })
      admin = openKafkaBroker(as('admin'))
      await admin.admin.createTopics([{ name: topic, partitions: 2, replicas: 1, config: {} }])
    }, 120_000)
    afterAll(async () => {
      await admin?.close()
      await cluster?.stop()
    }, 120_000)

    function as(username: keyof typeof users, changes: Partial<KafkaBrokerOptions> = {}): KafkaBrokerOptions {
      return {
        bootstrapServers: cluster.bootstrapServers,
        clientId: 'test',
        tls: { ca: [certificate] },
        sasl: { mechanism: 'scram-sha-512', username, password: users[username] },
        logger,
        ...changes,
      }
    }

    /** Whatever one does with this client fails alike, in one line that holds neither an address nor a secret. */
    async function expectRefusal(
      options: KafkaBrokerOptions,
      code: BrokerErrorCode,
      words: RegExp,
    ): Promise<void> {
      const broker = openKafkaBroker(options)
      onTestFinished(() => broker.close())
      const handlers = { onAssigned() {}, onRevoked() {}, onRecords() {}, onError() {} }
      const begun = performance.now()
      const outcomes = await Promise.allSettled([
        broker.producer.produce([{ topic, key: 'k', value: Buffer.from('x') }]),
        broker.consumer({ group: 'guests', topics: [topic], handlers }).start(),
        broker.follow(topic, () => {}),
        broker.admin.lag([{ group: 'guests', topics: [topic] }]),
        broker.admin.createTopics([{ name: 'another', partitions: 1, replicas: 1, config: {} }]),
      ])
      // Each gives up after ten seconds; the rest is for a loaded machine.
      expect(performance.now() - begun).toBeLessThan(60_000)
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'BrokerError', code } })
        const { message } = (outcome as { reason: Error }).reason
        expect(message).toMatch(words)
        expect(message).not.toMatch(/\n|127\.0\.0\.1|a-secret/)
      }
    }

    it('serves whoever may', async () => {
      await admin.producer.produce([{ topic, key: 'k', value: Buffer.from('x') }])
      const seen: string[] = []
      const consumer = admin.consumer({
        group: 'admins',
        topics: [topic],
        handlers: {
          onAssigned() {},
          onRevoked() {},
          onRecords: ({ records }) => seen.push(...records.map(({ value }) => String(value))),
          onError() {},
        },
      })
      await consumer.start()
      await expect.poll(() => seen).toEqual(['x'])
      await consumer.stop()
      expect(await admin.admin.lag([{ group: 'admins', topics: [topic] }])).toHaveLength(2)
    })

    it('says that a password is wrong', async () => {
      const sasl = { mechanism: 'scram-sha-512', username: 'guest', password: 'a-secret-misspelt' } as const
      await expectRefusal(as('guest', { sasl }), 'unauthorized', /user name or the password/)
    })

    it('says that a CA certificate is missing', async () => {
      await expectRefusal(as('guest', { tls: {} }), 'unavailable', /CA certificate/)
    })

    it('says what a user may not do', async () => {
      await expectRefusal(as('guest'), 'unauthorized', /AUTHORIZATION_FAILED/)
    })

    it('says that no broker can be reached', async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      await new Promise((resolve) => server.close(resolve))
      const options = as('guest', { bootstrapServers: [`127.0.0.1:${port}`] })
      await expectRefusal(options, 'unavailable', /no broker of Kafka can be reached/)
    })
  })
})
