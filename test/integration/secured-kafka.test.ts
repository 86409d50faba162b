import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readLedger, sendUntilAccepted, until } from '../harness/balance/load.ts'
import { type KafkaCluster, startKafka } from '../harness/kafka/kafka.ts'
import { describePart } from '../harness/parts/describe-part.ts'
import { emptyTestDatabase } from '../harness/postgres/postgres.ts'
import { hooksChannel, type Install, makeInstall } from '../harness/process/install.ts'
import type { RoleProcess } from '../harness/process/role.ts'
import { startWebhookSink, type WebhookSink } from '../harness/webhook-sink.ts'

/** The roles on a Kafka with TLS and passwords: the way of one message, and what a wrong password and a missing authority say. */

const tls = (name: string) => fileURLToPath(new URL(`../conformance/tls/${name}.pem`, import.meta.url))
const password = 'a-secret-of-admin'

describePart('kafka', (path) => {
  describe.skipIf(path.includes(':'))('that wants TLS and a password', () => {
    let cluster: KafkaCluster
    let install: Install
    let sink: WebhookSink
    const running: RoleProcess[] = []

    beforeAll(async () => {
      const certificate = readFileSync(tls('loopback-key'), 'utf8') + readFileSync(tls('loopback'), 'utf8')
      cluster = await startKafka({ jars: path, security: { users: { admin: password }, certificate } })
      sink = await startWebhookSink()
      install = await makeInstall({
        KAFKA_BOOTSTRAP_SERVERS: cluster.bootstrapServers.join(','),
        KAFKA_SECURITY_PROTOCOL: 'SASL_SSL',
        KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
        KAFKA_SASL_USERNAME: 'admin',
        KAFKA_SSL_CA_FILE: tls('loopback'),
        DATABASE_URL: await emptyTestDatabase(),
      })
      await install.declare(hooksChannel())
    }, 300_000)

    afterAll(async () => {
      await Promise.all(running.map((role) => role.kill()))
      await sink?.close()
      await cluster?.stop()
      await install?.remove()
    }, 300_000)

    const passwordFile = async (text: string) => {
      const file = join(install.folder, 'password')
      await writeFile(file, text)
      return ['--kafka-sasl-password-file', file]
    }

    test('a wrong password ends a start with one line that does not hold it', async () => {
      const flags = await passwordFile('a-wrong-secret')
      const { code, output } = await install.apply(...flags)
      expect(output).toBe('carillon: Kafka refuses the user name or the password\n')
      expect(code).toBe(1)
    }, 300_000)

    test('a webhook is delivered by processes that log in', async () => {
      const flags = await passwordFile(`${password}\n`)
      expect(await install.start('migrate').ended).toBe(0)
      expect((await install.apply(...flags)).output).toMatch(/^NotificationChannel default\/hooks created$/m)
      const api = install.start('api', '--listen', '127.0.0.1:0', ...flags)
      running.push(
        api,
        install.start('planner', ...flags),
        install.start('worker', '--channel', 'default/hooks', ...flags),
      )
      await Promise.all(running.map((role) => role.ready()))
      const promised = await sendUntilAccepted(api.url, 'first', {
        to: [{ webhook_url: `${sink.url}/first` }],
        content: { text: 'the first' },
      })
      const ledger = () => readLedger(api.url()!, [promised])
      await until(async () => (await ledger())[0]?.status === 'sent', 'the message is delivered')
      expect(sink.receipts).toHaveLength(1)
      for (const role of running) expect(role.output()).not.toContain(password)
    }, 300_000)
  })
})
