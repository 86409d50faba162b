import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { workerPlatform } from './worker-settings.ts'

const settings: Parameters<typeof workerPlatform>[0] = {
  kubeconfig: undefined,
  namespace: 'carillon-system',
  watchNamespaces: [],
  image: 'carillon:1',
  dryRun: false,
  topicReplicas: 3,
  takeOverFrom: undefined,
  healthListen: { host: '127.0.0.1', port: 0 },
  kafkaBootstrapServers: ['a:9092', 'b:9092'],
  kafkaSecurityProtocol: 'PLAINTEXT',
  kafkaSaslMechanism: undefined,
  kafkaSaslUsername: undefined,
  kafkaSaslPasswordFile: undefined,
  kafkaSslCaFile: undefined,
  topicPrefix: 'carillon',
  databaseUrl: 'postgresql://carillon:s3cret@postgres/carillon',
  redisUrl: undefined,
  logLevel: 'INFO',
}

it('tells the workers no more than they need', () => {
  expect(workerPlatform(settings, { HOME: '/root' })).toEqual({
    image: 'carillon:1',
    namespace: 'carillon-system',
    topicPrefix: 'carillon',
    environment: {
      KAFKA_BOOTSTRAP_SERVERS: 'a:9092,b:9092',
      KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT',
      LOG_LEVEL: 'INFO',
    },
    secretEnvironment: { DATABASE_URL: settings.databaseUrl },
    secretFiles: {},
  })
})

it('keeps passwords and keys out of what is no Secret', () => {
  const folder = mkdtempSync(join(tmpdir(), 'carillon-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const platform = workerPlatform(
    {
      ...settings,
      kafkaSecurityProtocol: 'SASL_SSL',
      kafkaSaslMechanism: 'SCRAM-SHA-512',
      kafkaSaslUsername: 'worker',
      kafkaSaslPasswordFile: file('password', 's3cret'),
      kafkaSslCaFile: file('ca.pem', 'certificate'),
      redisUrl: 'redis://:s3cret@redis',
    },
    { OTEL_EXPORTER_OTLP_HEADERS: 'api-key=s3cret' },
  )
  expect(platform.secretFiles).toEqual({
    KAFKA_SASL_PASSWORD_FILE: 's3cret',
    KAFKA_SSL_CA_FILE: 'certificate',
  })
  expect(Object.keys(platform.secretEnvironment)).toEqual([
    'DATABASE_URL',
    'REDIS_URL',
    'OTEL_EXPORTER_OTLP_HEADERS',
  ])
  expect(platform.environment).toMatchObject({
    KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
    KAFKA_SASL_USERNAME: 'worker',
  })
  expect(JSON.stringify(platform.environment)).not.toContain('s3cret')
})
